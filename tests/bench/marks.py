"""Marks: what a figure may be at most. A figure beyond its mark says so beside it, and once more at the end of the run."""

#: What was missed since the start, in words.
missed = []


def at_most(value, limit, what, unit=""):
    """The mark in brackets, for the line that has the figure.

    :arg what: names the figure at the end of the run, where its line is far away.
    """
    if value <= limit:
        return "(mark: at most %g%s)" % (limit, unit)
    missed.append("%s is %.2f%s, the mark is at most %g%s" % (what, value, unit, limit, unit))
    return "(mark: at most %g%s, MISSED)" % (limit, unit)
