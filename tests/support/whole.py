"""Values as text in full: their own repr stays short, and equality takes no notice of orders."""

from rdbtool.model import values


def whole(value: object) -> str:
    """Return every attribute of a value, and of what is in it; NaN and -0.0 are told apart."""
    if isinstance(value, tuple):
        return f"{type(value).__name__}({', '.join(map(whole, value))})"
    if type(value).__module__ != values.__name__:
        return repr(value)
    names = sorted(name for name, row in vars(type(value)).items() if type(row).__name__ == "getset_descriptor")
    assert names
    return f"{type(value).__name__}({', '.join(f'{name}={whole(getattr(value, name))}' for name in names)})"
