"""HMAC-SHA256 in engines that have SHA-256 only (RFC 2104): H(outer pad || H(inner pad || text))."""

from scripts.bench.loops import EMAIL, KEY, PHONE

INNER = bytes(byte ^ 0x36 for byte in KEY.ljust(64, b"\0"))
OUTER = bytes(byte ^ 0x5C for byte in KEY.ljust(64, b"\0"))
EMAIL_PATTERN, PHONE_PATTERN = EMAIL.pattern, PHONE.pattern
