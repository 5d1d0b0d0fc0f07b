"""A SOAP 1.1 service of `spyne`, which checks the WS-Security token of each request."""

import base64
from datetime import datetime

from spyne import (
    Application,
    Array,
    Boolean,
    ComplexModel,
    DateTime,
    Fault,
    Integer,
    ServiceBase,
    Unicode,
    rpc,
)
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication
from zeep.wsse.username import UsernameToken

from .people import People

WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
LOGIN, PASSWORD = "hub", "bí mật"


class Person(ComplexModel):
    __namespace__ = "urn:vn:people"
    id = Unicode
    fullName = Unicode  # noqa: N815
    personalId = Unicode  # noqa: N815
    birthDate = Unicode  # noqa: N815
    modified = DateTime
    deleted = Boolean


class Changed(ComplexModel):
    __namespace__ = "urn:vn:people"
    total = Integer
    people = Array(Person)


def application(people: People, nonces: set[str]) -> WsgiApplication:
    """Serve people; a token whose nonce came before is refused."""

    class PeopleService(ServiceBase):
        @rpc(DateTime, DateTime, Integer, Integer, _returns=Changed)
        def changed(ctx, since, until, page, size):  # noqa: N805 - spyne gives its context
            check_token(ctx.in_document, nonces)
            if size is None or page is None:
                raise Fault("Client.Size", f"no size; asked for {people.all[1].personal_id}")
            found = people.changed(since, until)
            part = found[(page - 1) * size : page * size]
            return Changed(
                total=len(found),
                people=[
                    Person(
                        id=str(each.number),
                        fullName=each.name,
                        personalId=each.personal_id,
                        birthDate=each.birth,
                        modified=each.modified,
                        deleted=each.deleted,
                    )
                    for each in part
                ],
            )

    protocols = {"in_protocol": Soap11(validator="lxml"), "out_protocol": Soap11()}
    return WsgiApplication(Application([PeopleService], "urn:vn:people", **protocols))


def check_token(envelope, nonces: set[str]) -> None:
    """Compute the digest as zeep does for its own requests."""
    token = envelope.find(f".//{WSSE}UsernameToken")
    if token is None:
        raise Fault("Client.FailedAuthentication", "no token")
    nonce = token.findtext(f"{WSSE}Nonce")
    created = datetime.fromisoformat(token.findtext(f"{WSU}Created"))
    own = UsernameToken(
        LOGIN,
        PASSWORD,
        use_digest=True,
        nonce=base64.b64decode(nonce).decode(),
        created=created,
        zulu_timestamp=True,
    )
    digest, *_ = own._create_password_digest()
    if nonce in nonces or token.findtext(f"{WSSE}Username") != LOGIN:
        raise Fault("Client.FailedAuthentication", "the token is refused")
    if token.findtext(f"{WSSE}Password") != digest.text:
        raise Fault("Client.FailedAuthentication", "the token is refused")
    nonces.add(nonce)
