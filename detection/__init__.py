"""Detection: reads frames, ticks and rules, writes conditions (raised, cleared, stands).

    language    what stands in rules/*.yaml, and     attributes, classes, priorities   what it says of its alarm
    compiling   a rule checked against the plant     written, rules     all of them, into a RuleSet
    detector    one rule, one reading: the specification
    bank        many rules by column, equal to it    windows, baseline, silence   the signals that need a memory
    lane, area  a device's columns; an area's rules  brain              records in, events out, snapshots
    reload      new rules in place of old ones
    recording, cli   `andon detect`: the same brain over a CSV file
"""
