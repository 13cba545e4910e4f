"""`landfast`: the command of operators, approvers and auditors."""
