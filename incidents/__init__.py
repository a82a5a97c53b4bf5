"""Alarm conditions -> alarms (ISA-18.2) -> incidents. Reads `conditions`, writes `incidents`.

`brain` is the areas of one partition; `thinking` one input of one area, decided in a draft. Of an area: `alarm`,
`alarms`, `fold` the state of its alarms, `lifecycle` what conditions and requests cause, `overrides`, `visibility`,
`nuisance`, `flood` who sees what of it; `incident`, `cases`, `casework` what people work on; `escalation` whom to call.
"""
