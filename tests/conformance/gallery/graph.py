"""A GraphQL API of `strawberry-graphql`, with a Relay connection, served by its own ASGI application."""

import base64
from datetime import datetime

import strawberry
from strawberry.asgi import GraphQL

from .people import People


@strawberry.type
class Node:
    id: str
    full_name: str
    personal_id: str | None
    birth_date: str | None
    modified: datetime
    deleted: bool


@strawberry.type
class Edge:
    node: Node
    cursor: str


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Connection:
    total_count: int
    edges: list[Edge]
    page_info: PageInfo


class _Schema(strawberry.Schema):
    def process_errors(self, *_: object) -> None:
        """Log nothing: what the server says about its own faults is not the hub's output."""


def application(people: People, broken: set[int]) -> GraphQL:
    """Serve people; who is in `broken` cannot be read, so that an answer holds partial data and errors."""

    def node(person) -> Node:
        if person.number in broken:
            raise ValueError(f"cannot read 'fullName' of {person.personal_id}")
        return Node(
            id=str(person.number),
            full_name=person.name,
            personal_id=person.personal_id,
            birth_date=person.birth,
            modified=person.modified,
            deleted=person.deleted,
        )

    @strawberry.type
    class Query:
        @strawberry.field
        def people(
            self,
            first: int,
            after: str | None = None,
            changed_since: datetime | None = None,
            changed_before: datetime | None = None,
        ) -> Connection:
            found = people.changed(changed_since, changed_before)
            begin = int(base64.b64decode(after)) if after else 0
            page = found[begin : begin + first]
            end = begin + len(page)
            cursor = base64.b64encode(str(end).encode()).decode()
            info = PageInfo(has_next_page=end < len(found), end_cursor=cursor if page else None)
            edges = [Edge(node=node(each), cursor=cursor) for each in page]
            return Connection(total_count=len(found), edges=edges, page_info=info)

    return GraphQL(_Schema(Query), graphql_ide=None)
