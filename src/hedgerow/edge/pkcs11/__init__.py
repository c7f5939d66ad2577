"""Private keys that stand in a PKCS#11 token (an HSM, a TPM, a smart card) and never leave it."""
