"""The page of ``stats --html``: bounded, inert whatever keys are called, and without errors in a browser."""

import base64
import json
import os
import re
import shutil
import subprocess

import pytest
from command import FIXTURES, NOW, run
from required import skip_without

RDB = FIXTURES / "redis-7.0.15/default.rdb"
AOF = FIXTURES / "redis-7.0.15/aof-timestamps"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

#: What a page must not take for its own.
HOSTILE = [
    b"</script><script>document.title='broken'</script>:1",
    b"<img src=x onerror=\"document.title='broken'\">:2",
    b"<!--<script>:3",
    b"]]>--></style></title>:4",
    b"\x1b[31m\x00\x07red:5",
    b"\xff\xfe\xfd:6",
    b"&lt;b&gt;&amp;:7",
    b"${document.title='broken'}:8",
    b"__proto__:9",
    b"constructor:10",
    "\u2028\u2029\u202e:11".encode(),
    b"k" * 10_240,
    "漢字:ключ:12".encode(),
]


def write_jsonl(path, keys):
    lines = ['{"rdb":{"magic":"REDIS","version":11}}']
    for number, name in enumerate(keys):
        try:
            text = name.decode()
        except UnicodeDecodeError:
            text = {"base64": base64.b64encode(name).decode()}
        row = {"db": 0, "key": text, "type": "string", "value": "v" * (number % 100)}
        lines.append(json.dumps(row | ({"expire_at_ms": 1} if number % 3 else {})))
    path.write_text("\n".join(lines))
    return path


def page_of(path, *arguments):
    done = run("stats", "--now", NOW, "--html", path, *arguments)
    assert done.code == 0, done.err
    return path.read_text()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    here = tmp_path_factory.mktemp("pages")
    hostile = write_jsonl(here / "hostile.jsonl", [key + b"%d" % n for n in range(20) for key in HOSTILE])
    empty = write_jsonl(here / "empty.jsonl", [])
    page_of(here / "growth.html", "--since", FIXTURES / "redis-4.0.14/default.rdb", "--compare", "valkey-9.1", RDB)
    page_of(here / "aof.html", AOF)
    for source in (hostile, empty):
        page_of(source.with_suffix(".html"), source)
    return here


def test_a_page_is_whole_or_not_there(tmp_path):
    page = tmp_path / "page.html"
    assert run("stats", "--html", page, tmp_path / "missing.rdb").code == 3
    assert not page.exists()
    page_of(page, RDB)
    assert run("stats", "--html", page, RDB).code == 3
    assert run("stats", "--html", page, "--force", RDB).code == 0
    assert run("stats", "--html", RDB, "--force", RDB).code in {2, 3}


def test_keys_cannot_end_the_data(pages):
    text = (pages / "hostile.html").read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert not set("<>&") & set(data)
    shown = json.dumps(json.loads(data), ensure_ascii=False)
    assert "</script><script>document.title" in shown
    assert text.count("<script") == 2
    assert "http://www.w3.org/2000/svg" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "default-src 'none'" in text


def test_the_size_is_bounded(tmp_path):
    names = [":".join(f"{'<' * 30}{n}{chr(97 + n * d % 26)}" for d in range(12)).encode() for n in range(4000)]
    page = page_of(tmp_path / "large.html", "--top", "10000", write_jsonl(tmp_path / "large.jsonl", names))
    assert len(page.encode()) < 2_000_000


#: Looks at a page and clicks through it; what it finds becomes the title.
PROBE = """
<script>
(() => {
  const found = [];
  const check = (name, good) => { if (!good) found.push(name); };
  const all = (selector) => [...document.querySelectorAll(selector)];
  check("charts", all("svg").length >= EXPECTED_CHARTS);
  const boxes = () => all("section[aria-label='Memory by prefix'] .node[tabindex]");
  const crumbs = () => all(".crumbs button").length;
  if (boxes().length) {
    const before = crumbs();
    boxes()[0].dispatchEvent(new MouseEvent("click", { bubbles: true }));
    check("descend", crumbs() > before);
    all(".crumbs button")[0].click();
    check("back", crumbs() === before);
    const keyed = boxes()[0];
    keyed.focus();
    keyed.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    check("enter", crumbs() > before);
    const flames = all("section[aria-label='Flame graph'] .node");
    boxes().concat(flames)[0].dispatchEvent(new KeyboardEvent("keydown", { key: "Backspace", bubbles: true }));
    check("up", crumbs() === before);
  }
  const table = document.querySelector("section[aria-label='Prefixes']");
  if (table) {
    const rows = () => [...table.querySelectorAll("tbody tr")].map((row) => row.textContent);
    const first = rows();
    table.querySelectorAll("th button")[0].click();
    const order = table.querySelectorAll("th")[0].getAttribute("aria-sort");
    check("sort", rows().length === first.length && order === "ascending");
    const search = table.querySelector("input");
    search.value = "no such prefix";
    search.dispatchEvent(new Event("input"));
    check("search", rows().length === 0);
  }
  document.querySelector("header button").click();
  check("no page is wider than the window", document.documentElement.scrollWidth <= innerWidth);
  check("title", document.title.startsWith("Memory of"));
  check("no images", all("img").length === 0);
  document.title = found.length ? `failed: ${found.join(", ")}` : "fine";
})();
</script>
"""


def open_page(page, width, home):
    """Open a page in a browser; return what it says on its console, and the title in the end."""
    if CHROMIUM is None:
        skip_without("no browser is installed (chromium, chrome): the page is not opened")
    flags = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--dump-dom"),
    ]
    done = subprocess.run(
        [CHROMIUM, *flags, f"--window-size={width},900", f"--user-data-dir={home / 'profile'}", page.as_uri()],
        capture_output=True,
        timeout=60,
        check=False,
        # The libraries of a build with sanitizers are not the browser's.
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | {"HOME": str(home)},
    )
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return said, re.search(r"<title>(.*?)</title>", done.stdout.decode()).group(1)


def test_an_error_in_a_page_would_be_seen(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<title>x</title><script>document.title = 'y'; missing();</script>")
    said, title = open_page(page, 800, tmp_path)
    assert said
    assert title == "y"


@pytest.mark.parametrize(
    ("name", "charts", "width"),
    [("growth", 4, 1600), ("aof", 4, 1000), ("hostile", 4, 500), ("empty", 0, 800)],
)
def test_in_a_browser(pages, tmp_path, name, charts, width):
    page = tmp_path / "page.html"
    probe = PROBE.replace("EXPECTED_CHARTS", str(charts))
    page.write_text((pages / f"{name}.html").read_text().replace("</body>", f"{probe}</body>"))
    assert open_page(page, width, tmp_path) == ([], "fine")
