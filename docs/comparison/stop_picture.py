#!/usr/bin/env python3
"""Measures one `docker stop` without an init, under tini and under rinit, and draws the three as an SVG.

    docs/comparison/stop_picture.py --write docs/comparison/stop.svg
    docs/comparison/stop_picture.py --check     # measures again and compares the outcomes with the picture's

The scenario is the last one of measure.py: a start script runs a worker in the background and the application without
`exec`. --check compares who finished, who was killed and the exit status. It does not compare times, which vary.
"""

import argparse
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import measure  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURE = os.path.join(HERE, "stop.svg")
CASES = [("no init", None), ("tini", "tini"), ("rinit", "rinit")]
LANES = [("main", "start script"), ("application", "application"), ("worker", "worker")]

WIDTH, LEFT, RIGHT, TOP = 860, 190, 30, 64
LANE, GAP, BAR = 22, 40, 12
SECONDS_BEFORE, SECONDS = 0.6, 10.5
RUNS, CLEANS, DEAD, ASKED, INK, FAINT = "#8aa4bf", "#3a9a5b", "#c0392b", "#e08a00", "#222222", "#888888"


def measure_all(rinit):
    cases = {}
    for title, name in CASES:
        path = measure.find(name, rinit) if name else None
        if name and path is None:
            sys.exit("%s is not installed" % name)
        cases[title] = measure.stop_script([path, "--"] if path else [])
    return cases


def outcome(facts):
    """What a second run must repeat: who was asked, who finished, how the container exited, and whether it took the timeout."""
    lanes = {
        name: "finished" if lane["finished"] is not None else "killed"
        for name, lane in facts["lanes"].items()
        if name != "main"
    }
    return {"lanes": lanes, "status": facts["status"], "timeout": facts["exited"] >= measure.DOCKER_TIMEOUT - 0.5}


def x(seconds):
    return LEFT + (seconds + SECONDS_BEFORE) * (WIDTH - LEFT - RIGHT) / (SECONDS + SECONDS_BEFORE)


def verdict(facts):
    done = sum(lane["finished"] is not None for name, lane in facts["lanes"].items() if name != "main")
    status = facts["status"]
    if done == 2:
        return "both finish their cleanup; the container exits after %.1f s with status %s" % (facts["exited"], status)
    if facts["exited"] > 1:
        return "the stop waits %.0f s, then SIGKILL: no cleanup, status %s" % (facts["exited"], status)
    return "the container exits after %.0f ms with status %s: no cleanup" % (facts["exited"] * 1000, status)


def draw(cases):
    height = TOP + len(CASES) * (len(LANES) * LANE + GAP) + 42
    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" role="img" aria-labelledby="title desc">' % (WIDTH, height, WIDTH, height),
        '<title id="title">One docker stop without an init, under tini, and under rinit</title>',
        '<desc id="desc">%s</desc>' % "; ".join("%s: %s" % (title, verdict(cases[title])) for title, _ in CASES),
        "<metadata>%s</metadata>" % json.dumps({title: outcome(facts) for title, facts in cases.items()}),
        '<rect width="%d" height="%d" fill="white"/>' % (WIDTH, height),
        text(14, 22, "docker stop of a start script that runs its application without exec", size=15, weight="bold"),
        text(14, 40, "The application needs 1.2 s to clean up after SIGTERM, the worker 0.6 s. Docker sends SIGTERM, and SIGKILL after 10 s.", fill=FAINT),
    ]
    bottom = height - 42
    for second in range(0, 11):
        out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#e4e4e4"/>' % (x(second), TOP - 8, x(second), bottom))
        out.append(text(x(second), bottom + 14, "%d s" % second, anchor="middle", fill=FAINT))
    out.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s" stroke-dasharray="4 3"/>' % (x(0), TOP - 8, x(0), bottom, ASKED))
    y = TOP
    for title, _ in CASES:
        facts = cases[title]
        y += 14
        out.append(text(14, y, {"no init": "Without an init"}.get(title, "Under " + title), size=13, weight="bold"))
        out.append(text(LEFT, y, verdict(facts), fill=INK))
        y += 6
        for name, label in LANES:
            out += lane(y, label, facts["lanes"][name])
            y += LANE
        y += GAP - 20
    out += legend(height - 12)
    out.append("</svg>\n")
    return "\n".join(out)


def lane(y, label, facts):
    top = y + (LANE - BAR) / 2
    out = [text(28, top + BAR - 2, label)]
    end = facts["exited"]
    asked = facts["asked"] if facts["finished"] is not None else None
    until = end if asked is None else asked
    out.append(bar(-SECONDS_BEFORE, until, top, RUNS))
    if asked is not None:
        out.append(bar(asked, end, top, CLEANS))
        out.append(tick(x(end), top))
    elif label != "start script" or end > 1:
        out.append(cross(x(end), top))
    return out


def tick(at, top):
    return '<path d="M%.1f %.1f l4 4 l7 -9" fill="none" stroke="%s" stroke-width="2.5"/>' % (at + 4, top + 6, CLEANS)


def cross(at, top):
    return '<path d="M%.1f %.1f l10 10 m0 -10 l-10 10" stroke="%s" stroke-width="2.5"/>' % (at + 3, top + 1, DEAD)


def legend(y):
    out, at = [], 14
    for kind, label in [(RUNS, "runs"), (CLEANS, "cleans up"), (tick, "finished"), (cross, "killed by SIGKILL"), (None, "SIGTERM")]:
        if kind is None:
            out.append('<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-dasharray="4 3"/>' % (at + 7, y - 11, at + 7, y + 3, ASKED))
        elif callable(kind):
            out.append(kind(at, y - 10))
        else:
            out.append('<rect x="%d" y="%d" width="16" height="10" fill="%s"/>' % (at, y - 9, kind))
        out.append(text(at + 22, y, label, fill=INK))
        at += 50 + 7 * len(label)
    return out


def bar(start, end, top, fill):
    return '<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>' % (x(start), top, max(x(end) - x(start), 1), BAR, fill)


def text(at, y, what, size=12, weight="normal", anchor="start", fill=INK):
    return '<text x="%.1f" y="%.1f" font-size="%d" font-weight="%s" text-anchor="%s" fill="%s">%s</text>' % (
        at, y, size, weight, anchor, fill, what.replace("&", "&amp;").replace("<", "&lt;"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE", help="write the picture")
    parser.add_argument("--check", action="store_true", help="compare a new measurement with the picture")
    parser.add_argument("--rinit", help="rinit's path; default: target/release, target/debug, PATH")
    options = parser.parse_args()
    cases = measure_all(options.rinit)
    if options.check:
        with open(PICTURE) as file:
            drawn = json.loads(re.search("<metadata>(.*)</metadata>", file.read()).group(1))
        now = {title: outcome(facts) for title, facts in cases.items()}
        if drawn != now:
            sys.exit("the picture shows %s\nmeasured now: %s" % (json.dumps(drawn), json.dumps(now)))
        print("the picture shows what was measured now")
    if options.write:
        with open(options.write, "w") as file:
            file.write(draw(cases))


if __name__ == "__main__":
    main()
