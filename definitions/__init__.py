"""The plant's files, checked and compiled to what each stage is given: rules, alarms, policies, people, playbooks."""
