"""The payments app: each payment gets exactly one receipt, with the account's running balance."""
