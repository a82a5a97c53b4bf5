"""The example plants that come with the product: points, rules, playbooks."""
