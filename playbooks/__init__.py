"""Incidents -> commands to devices and notifications to people. Reads `incidents`, writes `commands`.

What people write is read by `loading` (`written`, `tree`, `blueprints`, `compiling`) into a `plan`; `linting` says what
is doubtful in it. `brain` runs plans: `triggers` and `desk` begin, `walk` goes on, `endings` undoes, `run` is what is
known of one. Commands are intents: only the dispatcher sends, and nothing here can call it. `rehearsal` is the same
engine with a script in place of the plant.
"""
