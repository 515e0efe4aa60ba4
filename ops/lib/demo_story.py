"""What a person follows of the demo: numbered steps, claims as they are checked, events, tables. Also its record.

A claim that does not hold is `Broken`: the demo ends with it. Nothing here sleeps; `wait` polls with a deadline.
"""
import json, os, sys, time

PAUSE = 0.1  # between two looks at a condition, in seconds


class Broken(Exception):
    """A claim that does not hold, or a part that does not work; one message for a person."""


class Lost(Broken):
    """One that no waiting mends."""


def wait(seconds, what, look, pause=PAUSE):
    """Polls `look` until it returns something true, which is the result. `look` may raise Broken to say why not yet."""
    end, why = time.monotonic() + seconds, ""
    while True:
        try:
            if value := look():
                return value
            why = ""
        except Lost:
            raise
        except Broken as broken:
            why = f"; last: {broken}"
        if time.monotonic() > end:
            raise Broken(f"{what}: not within {seconds:g} s{why}")
        time.sleep(pause)


class Story:
    def __init__(self, out=sys.stdout):
        self.out, self.began = out, time.monotonic()
        self.colours = out.isatty() and not os.environ.get("NO_COLOR")
        self.steps, self.claims, self.measures, self.counts = [], [], {}, {}

    # ---- text

    def say(self, text=""):
        print(text, file=self.out, flush=True)

    def style(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def note(self, text):
        self.say(f"   {text}")

    def table(self, head, rows, marked=()):
        """Columns as wide as their longest cell; rows whose index is in `marked` stand out."""
        rows = [[str(c) for c in row] for row in rows]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        def line(row):
            return "   " + "  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()
        self.say(self.style("1", line(head)))
        for index, row in enumerate(rows):
            self.say(self.style("33", line(row)) if index in marked else line(row))

    # ---- steps and claims

    def step(self, title, what):
        self.end_step()
        self.steps.append({"number": len(self.steps) + 1, "title": title, "began": time.monotonic()})
        clock = f"[{time.monotonic() - self.began:5.1f} s]"
        self.say()
        self.say(f"{self.style('1', f'{len(self.steps)}. {title}')}  {self.style('2', clock)}")
        self.note(self.style("2", what))

    def end_step(self):
        if self.steps and "seconds" not in self.steps[-1]:
            self.steps[-1]["seconds"] = round(time.monotonic() - self.steps[-1].pop("began"), 2)

    def claim(self, holds, text, otherwise=""):
        """One thing that the demo shows. `otherwise` says what was found instead."""
        number = self.steps[-1]["number"] if self.steps else 0
        self.claims.append({"step": number, "claim": text, "holds": bool(holds)})
        if not holds:
            raise Broken(f"this does not hold: {text}" + (f"\n{otherwise}" if otherwise else ""))
        self.say(f"   {self.style('32', 'ok')} {text}")

    def shown(self, text):
        """A claim that was waited for: whoever comes here has seen it."""
        self.claim(True, text)

    def measure(self, name, seconds):
        self.measures[name] = round(seconds, 3)
        return spoken(seconds)

    # ---- events

    def events(self, found):
        """As the receiver got them, one line each: type, subject, and what was expected and found."""
        for event in found:
            data = event.get("data") or {}
            parts = [data["error"]] if data.get("error") else []
            parts += [f"{d.get('what')}: expected {d.get('expected')}, found {d.get('observed')}"
                      for d in data.get("drift") or []]
            text = "; ".join(parts) or data.get("message") or data.get("action") or ""
            kind = str(event.get("type", "")).removeprefix("onionkeeper.")
            self.say(self.style("36", f"   >> {kind:17} {event.get('subject', ''):14} {clipped(text, 110)}".rstrip()))

    # ---- the end

    def summary(self):
        self.end_step()
        self.say()
        self.say(self.style("1", "What was done"))
        rows = [[f"{s['number']}.", s["title"], f"{s['seconds']:6.1f} s"] for s in self.steps]
        self.table(["", "step", "took"], rows + [["", "all of it", f"{time.monotonic() - self.began:6.1f} s"]])
        if self.measures:
            self.say()
            self.say(self.style("1", "How long it took"))
            self.table(["what", "took"], [[name, spoken(value)] for name, value in self.measures.items()])

    def record(self, engine, error):
        self.end_step()
        return {"engine": engine, "ok": error is None, "error": error, "seconds": round(time.monotonic() - self.began, 1),
                "steps": self.steps, "claims": self.claims, "measures": self.measures, "counts": self.counts}


def spoken(seconds):
    """Three digits that matter: `4 ms`, `1.25 s`, `31.0 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def clipped(text, most):
    text = " ".join(str(text).split())
    return text if len(text) <= most else text[:most - 1] + "…"


def write_json(path, value):
    """Whole or not at all: a test may read it while we write."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    new.rename(path)
