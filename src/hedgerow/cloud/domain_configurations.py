"""Builds domain configurations: their operations, and how connections meet them."""

from collections.abc import Collection

from hedgerow.base.ids import Ids
from hedgerow.cloud.broker import Broker
from hedgerow.cloud.certificate_checks import CertificateChecks, Invoker
from hedgerow.cloud.domains import Domains
from hedgerow.cloud.operations import iot_domains as domain_rows
from hedgerow.cloud.rows import Tables
from hedgerow.core.paging import Pager
from hedgerow.services.iot.authorizers import AuthorizerStore
from hedgerow.services.iot.domains import DomainOperations, DomainStore
from hedgerow.services.iot.endpoints import Endpoints
from hedgerow.services.iot.pages import Pages


def build_domains(
    *,
    tables: Tables,
    ids: Ids,
    pager: Pager,
    broker: Broker,
    store: DomainStore,
    endpoints: Endpoints,
    own_names: Collection[str],
    invoker: Invoker,
    region: str,
) -> Domains:
    """Build it and enter its rows; answer what connections go by. `own_names` are the cloud's own."""
    operations = DomainOperations(
        domains=store,
        authorizers=AuthorizerStore(),
        hosts=endpoints,
        own_names=own_names,
        ids=ids,
        pages=Pages(pager),
    )
    tables.serve("iot", domain_rows.rows(domains=operations))
    domains = Domains(checks=CertificateChecks(invoker=invoker, region=region))
    broker.listen(domains.announce)
    return domains
