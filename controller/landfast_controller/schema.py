"""The tables of the controller's database.

`log` is append-only: its index counts from 0 without a gap. The contents of its entries, the exact bytes that were
received or decided, are in files beside the database (landfast_controller.entries), and here is where. Whole bundles of
256 may be pruned at its beginning. Everything else is state that follows from what was logged in the same transaction.
Times are nanoseconds since 1970 (CLOCK_REALTIME).
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

#: Kept in the file as PRAGMA user_version; raised on any change below.
SCHEMA_VERSION = 5

#: What a column can hold; the contract's integers may be larger.
LARGEST_INTEGER = 2**63 - 1

metadata = MetaData()

#: Tables that follow from the log. A file that lacks them gets them: the tree is then made of all of its log, incidents
#: come of what is logged from then on.
derived = MetaData()

hosts = Table(
    "hosts",
    metadata,
    Column("name", String, primary_key=True),
    Column("enrolled_ns", BigInteger, nullable=False),
    Column("last_seen_ns", BigInteger, nullable=False),
    Column("last_batch_ns", BigInteger, nullable=False),  # when its newest batch, or else its enrolment, was stored
    Column("hello", LargeBinary, nullable=False, default=b""),  # landfast.v1.Hello, the newest
    Column("policy_state", LargeBinary, nullable=False, default=b""),  # landfast.v1.PolicyState, the newest
    Column("event_key", LargeBinary, nullable=False),  # public half, as of the newest enrolment
    Column("last_sequence", BigInteger, nullable=False, default=0),
    Column("last_hash", LargeBinary, nullable=False, default=b""),
    Column("enrolled_index", BigInteger, nullable=False),  # log index of the newest enrolment
    Column("chain_start", BigInteger, nullable=False),  # log index of the enrolment that this chain counts from
    Column("chain_begun", Integer, nullable=False, default=0),  # 0: the next batch goes on or begins anew
    Column("banned_ns", BigInteger),  # null: the host is not banned
    Column("banned_by", String, nullable=False, default=""),  # SPIFFE id
    Column("ban_reason", String, nullable=False, default=""),
    Column("labels", String, nullable=False, default=""),  # separated by commas, in order
)

identities = Table(
    "identities",
    metadata,
    Column("serial", String, primary_key=True),  # of the certificate, hexadecimal
    Column("role", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
    Column("created_by", String, nullable=False),  # SPIFFE id
    Column("pending", Integer, nullable=False, default=0),  # a host's: 1 until it is used for the first time
    Index("identities_name", "role", "name"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),  # empty: any
    Column("used_ns", BigInteger),
    Column("used_by", String),
)

policies = Table(
    "policies",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("map_digest", LargeBinary, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("ticket", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("approvers", String, nullable=False),  # names, separated by commas; none: break-glass
    Column("targets", LargeBinary, nullable=False),  # TUF metadata, with the approvals
    Column("canonical", LargeBinary, nullable=False),
)

#: Proposed versions. What has become of one that is `open` may still follow from its expiry.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", Integer, nullable=False),  # landfast.v1.Change.State
    Column("version", BigInteger, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("ticket", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("map_digest", LargeBinary, nullable=False),
    Column("widens", String, nullable=False),  # the first ways in which it widens, a line for each
    Column("widenings", Integer, nullable=False),
    Column("closed_by", String, nullable=False, default=""),
    Column("closed_why", String, nullable=False, default=""),
    Column("targets", LargeBinary, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
)

#: Candidates that judge on hosts, beside the policy in force.
shadows = Table(
    "shadows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("author", String, nullable=False),  # SPIFFE id
    Column("reason", String, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
)

#: The newest shadow of each host that ever had one.
shadowed = Table(
    "shadowed",
    metadata,
    Column("host", String, primary_key=True),
    Column("shadow", Integer, nullable=False),  # of the table `shadows`
    Column("stopped_ns", BigInteger),  # null: it ends by itself
    Column("reported_ns", BigInteger),
    Column("report", LargeBinary, nullable=False, default=b""),  # landfast.v1.ShadowReport, the newest
)

#: How each version reaches the hosts; that of the newest one counts.
rollouts = Table(
    "rollouts",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Integer, nullable=False),  # landfast.v1.Rollout.State
    Column("stages", String, nullable=False),  # separated by commas
    Column("stage", Integer, nullable=False),  # index of the one that it is in
    Column("since_ns", BigInteger, nullable=False),  # in that stage
    Column("base", BigInteger, nullable=False),  # version of the hosts that it has not reached; 0: none
    Column("ignores_denials", Integer, nullable=False),
    Column("by", String, nullable=False),  # SPIFFE id of who turned it last
    Column("reason", String, nullable=False),
)

#: Versions that hosts were given before everybody. Written before they are sent, never lowered.
placements = Table(
    "placements",
    metadata,
    Column("host", String, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("given_ns", BigInteger, nullable=False),
    Column("excused", Integer, nullable=False),  # 1: what goes wrong there no longer halts the rollout
    Column("sampled_ns", BigInteger),  # of the counters that follow; null: the host had told none
    Column("denied", BigInteger, nullable=False),
    Column("would_deny", BigInteger, nullable=False),
    Column("denied_rate", Float, nullable=False),  # a second, before
    Column("would_deny_rate", Float, nullable=False),
)

#: TUF root metadata: versions from 1, without a gap.
roots = Table(
    "roots",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

log = Table(
    "log",
    metadata,
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("received_ns", BigInteger, nullable=False, index=True),  # never decreases
    Column("kind", Integer, nullable=False),
    Column("host", String, nullable=False),  # empty: a control action
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the content
    Column("offset", Integer, nullable=False),  # where the encoded entry begins in the file of its bundle
    Column("size", Integer, nullable=False),  # of the encoded entry
    Index("log_sequence", "host", "first_sequence"),
)

#: The tree of the log (landfast.tlog.tiles). A tile at its right edge grows in place.
tiles = Table(
    "tiles",
    derived,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

#: What rules have found in the log. At most one of a rule and subject is not closed.
incidents = Table(
    "incidents",
    derived,
    Column("id", Integer, primary_key=True),
    Column("rule", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("state", Integer, nullable=False),  # landfast.v1.Incident.State
    Column("opened_ns", BigInteger, nullable=False),
    Column("last_seen_ns", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_index", Integer, nullable=False),
    Column("last_index", Integer, nullable=False),
    Column("text", String, nullable=False),
    Column("acknowledged_by", String, nullable=False, default=""),  # SPIFFE id
    Column("closed_by", String, nullable=False, default=""),  # SPIFFE id
    Column("reason", String, nullable=False, default=""),
    Column("told", Integer, nullable=False, default=0),  # 1: the webhook has taken it
    Index("incidents_subject", "rule", "subject"),
    Index("incidents_told", "told"),
)

#: One row: the log index from which the rules go on.
incident_cursor = Table(
    "incident_cursor",
    derived,
    Column("id", Integer, primary_key=True),  # 1
    Column("next", Integer, nullable=False),
)

#: How long the log says that it keeps its entries.
retention = Table(
    "retention",
    derived,
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("published_ns", BigInteger, nullable=False),
    Column("keep_s", BigInteger),  # null: for ever
)

#: What the log says of its own prunings; they may still have to be carried out.
prunings = Table(
    "prunings",
    derived,
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("below", Integer, nullable=False),  # entries below it go
)

#: Who reads the log, as it says itself; the newest of each.
readers = Table(
    "readers",
    derived,
    Column("name", String, primary_key=True),  # SPIFFE id
    Column("begin", Integer, nullable=False),  # the entry from which on
    Column("head", Integer, nullable=False),  # how far the log reached then
    Column("told_ns", BigInteger, nullable=False),
)

#: Where hosts have said that they begin, as of the enrolment at `index`; older agents do not say so.
beginnings = Table(
    "beginnings",
    derived,
    Column("host", String, primary_key=True),
    Column("index", Integer, nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("previous", LargeBinary, nullable=False),
)

#: Checkpoints that witnesses have cosigned, or are asked to (landfast.tlog.witness).
witnessed = Table(
    "witnessed",
    derived,
    Column("path", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),
)

#: One row: the newest checkpoint, signed.
checkpoint = Table(
    "checkpoint",
    derived,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)
