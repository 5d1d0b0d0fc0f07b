"""The banks' own certificate authority, and the certificates under it."""

import os
from dataclasses import astuple, dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files: the authority's certificate, and certificate and key of each side."""

    authority: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path


def make_tls_files(folder: Path, *, host: str = "127.0.0.1", keep: bool = False) -> TlsFiles:
    """Writes an authority's certificate and those of a server and a client under it.

    The authority's own key stays in memory.

    Args:
        folder: of the files.
        host: name of the server, besides localhost and 127.0.0.1.
        keep: leave the files of an earlier start as they are.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = TlsFiles(
        *(folder / f"{name}.pem" for name in ("ca", "server", "server-key", "client", "client-key"))
    )
    if keep and all(map(Path.exists, astuple(files))):
        return files
    authority = trustme.CA(organization_name="Open banking authority")
    server = authority.issue_cert(
        *sorted({"localhost", "127.0.0.1", host}), common_name="Open banking server"
    )
    client = authority.issue_cert("client@open-banking.example", common_name="Open banking client")
    files.authority.write_bytes(authority.cert_pem.bytes())
    files.server_certificate.write_bytes(server.cert_chain_pems[0].bytes())
    files.client_certificate.write_bytes(client.cert_chain_pems[0].bytes())
    write_private(files.server_key, server.private_key_pem.bytes())
    write_private(files.client_key, client.private_key_pem.bytes())
    return files


def write_private(path: Path, content: bytes) -> None:
    """Puts a file in place at once and whole, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
