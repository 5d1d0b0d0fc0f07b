"""Prepares a hub in which many records have no identifiers, and scores the links of these records.

The simulated population fills a hub. Then the requested number of records, chosen at random from those with
a personal number of twelve or nine digits, lose these and the tax code; one person in twenty is removed from
the register, so that some records are about nobody in it. The records that identifiers still link are linked,
and a model is trained on them and activated. The unlinked records are then dirty: those that lost their
identifiers, and a few that never had any.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

from psycopg2 import sql

from benchmarks.data.filling import fill
from benchmarks.measuring.costs import Cost, costing
from benchmarks.measuring.scores import RECORD, Score, score_links
from benchmarks.measuring.server import Server
from oncehub.initialise import initialise
from oncehub.reconcile.matching.features import fetched
from oncehub.reconcile.matching.models import activate
from oncehub.reconcile.matching.train import train
from oncehub.reconcile.rules.rulebook import load_rulebook
from oncehub.reconcile.run import reconcile
from oncehub.settings import Settings
from oncehub.store.connection import Connection, connect
from stubs.world.world import World

ROOT: Final = Path(__file__).resolve().parents[2]
SEED: Final = 1

_STRIP: Final = """
create table anonymous as
select source, stream, source_key
from record.person
where source <> 'population' and coalesce(personal_id, national_id_9) is not null
order by hashtextextended(source || E'\\x1f' || stream || E'\\x1f' || source_key, %(seed)s), source_key
limit %(records)s;

update record.person r
set personal_id = null, national_id_9 = null, passport = null, tax_code = null
from anonymous a
where (r.source, r.stream, r.source_key) = (a.source, a.stream, a.source_key);

delete from record.person
where source = 'population' and hashtextextended(source_key, %(seed)s) %% 20 = 0;
"""

_ANONYMOUS: Final = sql.SQL("select source, stream, source_key from anonymous")
_REGISTERED: Final = sql.SQL(
    "select source_key as register_id from record.person where source = 'population'"
)

_LINKED: Final = sql.SQL("""
select k.source, k.stream, k.source_key, f.source_key as register_id, k.source as method
from {links} k
join anonymous using (source, stream, source_key)
join truth.link f on f.person_key = k.person_key and f.method = 'register'
""")


def prepare(server: Server, home: Path, database: str, records: int) -> dict[str, Cost]:
    """Make such a hub with a register of `records` people; return the costs of training and activating."""
    server.create(database)
    settings = Settings(ROOT, home, server.url(database))
    initialise(settings, make_keys=True)
    fill(settings, World.generate(records, SEED))
    server.settle(database)
    with closing(connect(server.url(database))) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(_STRIP, {"records": records, "seed": SEED})
        reconcile(settings, connection)
        server.settle(database)
        with costing(server) as training:
            model = train(settings, by="benchmark", reason="measuring matching", database=connection)
        with costing(server) as using, connection:
            activate(connection, model, load_rulebook(settings).register)
    return {"training": training(), "use": using()}


def score(connection: Connection, links: sql.Identifier, people: int) -> dict[str, Score]:
    """Score the links of these records, read from the table `links`: over all, and by source."""
    truth = World.generate(people, SEED).whole_truth().links.with_columns(method="source")
    with connection, connection.cursor() as cursor:
        linked = fetched(cursor, _LINKED.format(links=links))
        expected = truth.join(fetched(cursor, _ANONYMOUS), on=RECORD, how="semi").join(
            fetched(cursor, _REGISTERED), on="register_id", how="semi"
        )
    return score_links(linked, expected)
