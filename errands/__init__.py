"""The process `errands`: does outside devices what playbooks ask for. Reads `commands`, `mirrors`; writes outcomes to
`incidents`, what playbooks ask of the incidents stage to `conditions`.

`reading` takes over from Kafka what is to be done, `store` keeps it on disk, `carrying` does it: `web` calls other
systems, `broker` publishes. `secrets` are put in there and nowhere else; `outcome` says what became of it (pure).
"""
