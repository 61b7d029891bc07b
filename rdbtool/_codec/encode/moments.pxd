# Times as text.

from libc.stdint cimport int64_t

cdef enum:
    DAY_MS = 86400000
    LAST_YEAR = 9999
    MOMENT_SIZE = 19            # without a fraction


cdef inline void two_digits(int number, char *out) noexcept:
    out[0] = <char>(48 + number // 10)
    out[1] = <char>(48 + number % 10)


cdef inline bint moment_text(int64_t ms, char *out) noexcept:
    """Write a time (Unix ms, UTC) as YYYY-MM-DDTHH:MM:SS and return True; False where a year has not four digits."""
    cdef int64_t days = ms // DAY_MS if ms >= 0 else -((DAY_MS - 1 - ms) // DAY_MS)
    cdef int64_t rest = ms - days * DAY_MS
    cdef int64_t era, of_era, year, of_year, month, day
    # Days since the first of March of year 0, in eras of 400 years.
    days += 719468
    if days < 306:
        return False                # before year 1
    era = days // 146097
    of_era = days - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (month <= 2)
    if year > LAST_YEAR or year < 1:
        return False
    two_digits(<int>(year // 100), out)
    two_digits(<int>(year % 100), out + 2)
    out[4] = c"-"
    two_digits(<int>month, out + 5)
    out[7] = c"-"
    two_digits(<int>day, out + 8)
    out[10] = c"T"
    rest //= 1000
    two_digits(<int>(rest // 3600), out + 11)
    out[13] = c":"
    two_digits(<int>(rest // 60 % 60), out + 14)
    out[16] = c":"
    two_digits(<int>(rest % 60), out + 17)
    return True


cdef inline int fraction_text(int64_t ms, char *out) noexcept:
    """Write the milliseconds of a time as ``.mmm``; return its length, 0 where there are none."""
    cdef int part = <int>(ms % 1000)
    if part < 0:
        part += 1000
    if part == 0:
        return 0
    out[0] = c"."
    out[1] = <char>(48 + part // 100)
    two_digits(part % 100, out + 2)
    return 4
