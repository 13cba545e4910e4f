"""Who may change the policy, and the proof that they did: The Update Framework (https://theupdateframework.github.io).

TUF's roles: *root*, offline keys that say whose keys are whose and which approvals a change takes; *targets*, the
policy, signed by those who approve it; *snapshot* and *timestamp*, signed by the controller, which say what is newest.
"""
