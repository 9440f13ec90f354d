#!/usr/bin/env python3
"""Computes firings.txt: looks at every minute of ten years, through Python's zoneinfo.

Each line: the zone as POSIX writes it, the schedule, how many times there are, and the minutes between them.
"""

import datetime
import zoneinfo

BERLIN = ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3")
NEW_YORK = ("America/New_York", "EST5EDT,M3.2.0,M11.1.0")
LORD_HOWE = ("Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")
CASES = [
    (BERLIN, "30 2 * * *"),
    (BERLIN, "15 */6 * * *"),
    (BERLIN, "0,30 1-3 * 3,10 *"),
    (NEW_YORK, "0 1,2 * * *"),
    (NEW_YORK, "30 * * 3,11 0"),
    (NEW_YORK, "0 9 1,15 * 1"),
    (LORD_HOWE, "*/15 2 * 4,10 *"),
    (LORD_HOWE, "10 */8 * * 1-5"),
]
LOW, HIGH = [0, 0, 1, 1, 0], [59, 23, 31, 12, 6]
MINUTE = datetime.timedelta(minutes=1)
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
END = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)


def values(text, place):
    found = set()
    for part in text.split(","):
        part, _, step = part.partition("/")
        first, _, last = part.partition("-")
        low, high = (LOW[place], HIGH[place]) if part == "*" else (int(first), int(last or first))
        found |= set(range(low, high + 1, int(step or 1)))
    return found


def times(name, pattern):
    fields = pattern.split()
    minutes, hours, days, months, weekdays = (values(text, place) for place, text in enumerate(fields))
    is_interval = fields[1].startswith("*")

    def is_named(shown):
        if shown.minute not in minutes or shown.hour not in hours or shown.month not in months:
            return False
        by_day, by_weekday = shown.day in days, shown.isoweekday() % 7 in weekdays
        both = fields[2].startswith("*") or fields[4].startswith("*")
        return (by_day and by_weekday) if both else (by_day or by_weekday)

    zone, seen, moment = zoneinfo.ZoneInfo(name), set(), BEGIN
    before = (BEGIN - MINUTE).astimezone(zone).replace(tzinfo=None)
    while moment < END:
        shown = moment.astimezone(zone).replace(tzinfo=None)
        is_due = is_named(shown)
        if not is_interval:
            is_due = is_due and shown not in seen
            passed = before + MINUTE
            while passed < shown:
                is_due = is_due or is_named(passed)
                passed += MINUTE
            if is_named(shown):
                seen.add(shown)
        if is_due:
            yield moment
        before, moment = shown, moment + MINUTE


for (name, posix), pattern in CASES:
    found, before, runs = 0, BEGIN, []
    for moment in times(name, pattern):
        apart, before, found = (moment - before) // MINUTE, moment, found + 1
        if runs and runs[-1][0] == apart:
            runs[-1][1] += 1
        else:
            runs.append([apart, 1])
    print(posix, pattern, found, " ".join(f"{apart}x{n}" if n > 1 else str(apart) for apart, n in runs), sep="|")
