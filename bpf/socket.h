/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a socket remembers: tags, origin, and the last verdict. */
#ifndef LANDFAST_SOCKET_H
#define LANDFAST_SOCKET_H

#define LF_REFUSE 0
#define LF_PASS   1

#define LF_AF_INET        2
#define LF_AF_INET6       10
#define LF_SOCK_STREAM    1
#define LF_SOCK_DGRAM     2
#define LF_IPPROTO_ICMPV6 58
#define LF_TCP_LISTEN     10

static __always_inline bool lf_same_address(const u8 *a, const u8 *b)
{
	const u64 *x = (const u64 *)a, *y = (const u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline void lf_map_ipv4(u8 *address, u32 ipv4_be)
{
	u32 *words = (u32 *)address;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = ipv4_be;
}

static __always_inline bool lf_is_ipv4(const u8 *address)
{
	const u32 *words = (const u32 *)address;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* 127.0.0.0/8, ::1 and the unspecified addresses, which the kernel turns into them. */
static __always_inline bool lf_is_loopback(const u8 *address)
{
	const u32 *words = (const u32 *)address;

	if (lf_is_ipv4(address))
		return address[12] == 127 || !words[3];
	return !words[0] && !words[1] && !words[2] && (!words[3] || words[3] == bpf_htonl(1));
}

static __always_inline bool lf_is_own(const u8 *address)
{
	struct in6_addr key;

	if (lf_is_loopback(address))
		return true;
	__builtin_memcpy(&key, address, sizeof(key));
	return local_addresses.lookup(&key) != NULL;
}

/* A packet of a flow, and who is at the other end. */
struct lf_passed {
	u32 bytes;   /* behind the transport header */
	u32 packets; /* 0: of no flow */
	u8 family;
	u8 counted;
};

/* Whether a packet goes to, or comes from, somebody else than those before. */
static __always_inline bool lf_flow_turns(struct lf_flow *flow, struct lf_question *q)
{
	return flow->protocol && !flow->several &&
	       (flow->remote_port != q->remote_port || flow->protocol != q->protocol ||
	        !lf_same_address(flow->remote, q->remote));
}

/* Whether it is time to look at the clock. */
static __always_inline bool lf_flow_looks(struct lf_flow *flow)
{
	return flow->ticks % LF_FLOW_TICKS == LF_FLOW_TICKS - 1;
}

/* Counts a packet like those before. Whether it is one. To be called with the lock held. */
static __always_inline bool lf_flow_goes_on(struct lf_flow *flow, struct lf_question *q, struct lf_passed *passed,
                                            u8 verdict)
{
	if (!flow->protocol || !flow->version || lf_flow_turns(flow, q) || lf_flow_looks(flow))
		return false;
	if (verdict == LF_WOULD_DENY && flow->verdict != verdict) /* one of several addresses */
		return false;
	flow->bytes_out += passed->bytes;
	flow->packets_out += passed->packets;
	flow->ticks++;
	return true;
}

/* An answer that was computed for exactly this question and still holds. 0: there is none. The clock is asked for
 * answers alone that do not hold forever. A packet that passes by it is counted here, if it is like those before. */
static __always_inline u8 lf_cached(struct lf_sock *sock, struct lf_question *q, u64 generation,
                                    struct lf_passed *passed)
{
	u64 now = sock->deadline_ns == LF_FOREVER ? LF_FOREVER - 1 : bpf_ktime_get_boot_ns();
	u8 verdict = 0;

	bpf_spin_lock(&sock->lock);
	if (sock->generation == generation && sock->deadline_ns > now && sock->remote_port == q->remote_port &&
	    sock->local_port == q->local_port && sock->protocol == q->protocol && sock->local == q->local &&
	    (q->protocol != LF_PROTO_UDP || sock->peer_tags == q->peer_tags) && !(q->tags & ~sock->tags) &&
	    lf_same_address(sock->remote, q->remote))
		verdict = sock->verdict;
	if (passed && passed->packets && verdict && verdict != LF_DENY)
		passed->counted = lf_flow_goes_on(&sock->flow, q, passed, verdict);
	bpf_spin_unlock(&sock->lock);
	return verdict;
}

/* Remembers an answer, unless the socket has gained tags since the question was asked. */
static __always_inline void lf_cache(struct lf_sock *sock, struct lf_question *q, struct lf_answer *a)
{
	u64 *to, *from = (u64 *)q->remote;

	bpf_spin_lock(&sock->lock);
	if (sock->tags == q->tags) {
		to = (u64 *)sock->remote;
		to[0] = from[0];
		to[1] = from[1];
		sock->remote_port = q->remote_port;
		sock->local_port = q->local_port;
		sock->protocol = q->protocol;
		sock->local = q->local;
		sock->peer_tags = q->peer_tags;
		sock->serving = q->serving;
		sock->verdict = a->verdict;
		sock->reason = a->reason;
		sock->rule = a->rule;
		sock->version = a->version;
		sock->deadline_ns = a->deadline_ns;
		sock->generation = a->generation;
	}
	bpf_spin_unlock(&sock->lock);
}

/* Tags that stick to a socket since this actor uses it. Returns all of them. */
static __always_inline u64 lf_taint(struct lf_sock *sock, u64 tags, struct lf_actor *actor)
{
	bpf_spin_lock(&sock->lock);
	if (tags & ~sock->tags) {
		sock->tags |= tags;
		sock->generation = 0;
	}
	if (actor->foreign && !sock->foreign) {
		sock->foreign = 1;
		sock->generation = 0;
	}
	if (tags) {
		sock->image = actor->image;
		sock->tgid = actor->tgid;
		sock->uid = actor->uid;
	}
	tags = sock->tags;
	bpf_spin_unlock(&sock->lock);
	return tags;
}

/* Whether an actor's rules do not hold in a socket's network namespace. */
static __always_inline u64 lf_is_foreign(struct lf_actor *actor, u64 netns)
{
	return actor->netns && actor->netns != netns;
}

/* The storage of a socket that a tagged task makes or uses. NULL, counted, when there is no memory for it. */
static __always_inline struct lf_sock *lf_sock_make(struct bpf_sock *sk, u64 cookie)
{
	struct lf_sock *sock = sockets.sk_storage_get(sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!sock) {
		lf_count_failure(LF_F_SOCKET_STORAGE);
		return NULL;
	}
	sock->layout = LF_LAYOUT_VERSION;
	sock->origin = cookie;
	return sock;
}

/* An event about a verdict. */
static __always_inline void lf_report(u32 stage, struct lf_question *q, struct lf_answer *a, struct lf_actor *actor,
                                      u64 cookie, u8 family, u8 type, u32 ifindex)
{
	struct lf_event *event;

	lf_count_at(stage, a->verdict == LF_ALLOW ? LF_C_ALLOW : a->verdict == LF_DENY ? LF_C_DENY : LF_C_WOULD_DENY);
	event = lf_event_begin(stage, actor);
	if (!event)
		return;
	event->tags = q->tags;
	event->missing = a->missing;
	event->cookie = cookie;
	event->version = a->version;
	event->rule = a->rule;
	event->verdict = a->verdict;
	event->reason = a->reason;
	event->protocol = q->protocol;
	event->family = family;
	event->type = type;
	event->detail = q->detail;
	event->flags = (q->local ? LF_E_LOCAL : 0) | (q->serving ? LF_E_SERVING : 0);
	event->remote_port = q->remote_port;
	event->local_port = q->local_port;
	event->ifindex = ifindex;
	__builtin_memcpy(event->remote, q->remote, 16);
	lf_event_end(event);
}

/* Transport as policy names it; 0 for what no rule can name. */
static __always_inline u8 lf_protocol(u32 ip_protocol)
{
	if (ip_protocol == LF_PROTO_TCP || ip_protocol == LF_PROTO_UDP || ip_protocol == LF_PROTO_ICMP)
		return ip_protocol;
	return ip_protocol == LF_IPPROTO_ICMPV6 ? LF_PROTO_ICMP : 0;
}

/* IPv4-mapped addresses need no care: they are the form in which all IPv4 addresses are judged. */
static __always_inline void lf_read_ipv6(struct bpf_sock_addr *ctx, u8 *address)
{
	u32 *words = (u32 *)address;

	words[0] = ctx->user_ip6[0];
	words[1] = ctx->user_ip6[1];
	words[2] = ctx->user_ip6[2];
	words[3] = ctx->user_ip6[3];
}

/* Refuses something that is not about a destination; classes in audit mode only record it. */
static __always_inline int lf_forbid(u32 stage, u32 reason, u64 tags, struct lf_actor *actor, struct bpf_sock *sk)
{
	struct lf_question q = {.tags = tags, .protocol = sk->protocol};
	struct lf_answer a = {};

	lf_refuse_for(&a, tags, reason);
	lf_report(stage, &q, &a, actor, 0, sk->family, sk->type, 0);
	return a.verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}

#endif
