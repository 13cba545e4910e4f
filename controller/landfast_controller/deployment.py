"""What the services of one running controller share."""

from dataclasses import dataclass

from landfast_controller.authority import Authority
from landfast_controller.exports import Exports
from landfast_controller.incidents.desk import Desk
from landfast_controller.incidents.watch import Watch
from landfast_controller.incidents.webhook import Webhook
from landfast_controller.ingest import Ingest
from landfast_controller.offers import Offers
from landfast_controller.presence import Presence
from landfast_controller.proposals import Proposals
from landfast_controller.pruning.pruner import Pruner
from landfast_controller.publisher import Publisher
from landfast_controller.renewal import Lifetimes
from landfast_controller.reports import Reports
from landfast_controller.rollout.conductor import Conductor
from landfast_controller.rollout.placement import Placement
from landfast_controller.roster import Roster
from landfast_controller.shadows import Shadows
from landfast_controller.store import Store
from landfast_controller.trust import Trust
from landfast_controller.witnesses.rounds import Rounds


@dataclass(frozen=True)
class Deployment:
    """The database, and what is kept in memory beside it: true only while this is the database's one server."""

    store: Store
    authority: Authority
    lifetimes: Lifetimes
    roster: Roster
    trust: Trust
    placement: Placement
    offers: Offers
    presence: Presence
    proposals: Proposals
    conductor: Conductor
    ingest: Ingest
    reports: Reports
    shadows: Shadows
    publisher: Publisher
    desk: Desk
    watch: Watch
    webhook: Webhook
    pruner: Pruner
    exports: Exports
    rounds: Rounds
