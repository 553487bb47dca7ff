"""A stand-in for iCloud that unmodified clients reach under Apple's own host names.

`python -m tests.icloud_server --assets 500` starts one and says how to use it; `client.StandIn`
does the same for tests. A client needs three environment variables: HTTPS_PROXY (our door, which
ends the tunnels to all of Apple's hosts in this process), REQUESTS_CA_BUNDLE and SSL_CERT_FILE.

The rooms: `proxy`, `certificates` and `app` are the door; `account`, `signin` and `setup` the
account; `specs`, `zone` and `library` what is in it; `records`, `query`, `changes` and `modify` the
photo database; `content`, `media`, `bases`, `filler` and `body` the bytes; `faults`, `odd` and
`control` what goes wrong on demand.
"""
