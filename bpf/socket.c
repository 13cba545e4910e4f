/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls on sockets: tags are stamped here, and refusals get a clear EPERM. The verdict that counts is egress. */

#define LF_REFUSE 0
#define LF_PASS   1

#define LF_AF_INET        2
#define LF_AF_INET6       10
#define LF_SOCK_STREAM    1
#define LF_SOCK_DGRAM     2
#define LF_IPPROTO_ICMPV6 58

/* Transport as policy names it; 0 for what no rule can name. */
static __always_inline u8 lf_protocol(u32 ip_protocol)
{
	if (ip_protocol == LF_PROTO_TCP || ip_protocol == LF_PROTO_UDP || ip_protocol == LF_PROTO_ICMP)
		return ip_protocol;
	return ip_protocol == LF_IPPROTO_ICMPV6 ? LF_PROTO_ICMP : 0;
}

/* Refuses something that is not about a destination; classes in audit mode only record it. */
static __always_inline int lf_forbid(u32 stage, u32 reason, u64 tags, struct lf_actor *actor, struct bpf_sock *sk)
{
	struct lf_question q = {.tags = tags, .protocol = sk->protocol};
	struct lf_policy *policy = lf_active();
	struct lf_answer a = {};

	lf_refuse_all(&a, tags, reason);
	if (policy) {
		a.version = policy->version;
		a.verdict = lf_enforced(policy, tags);
	}
	lf_report(stage, &q, &a, actor, 0, sk->family, sk->type, 0);
	return a.verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}

int lf_sock_create(struct bpf_sock *sk)
{
	struct lf_actor actor = {};
	u64 tags = lf_current_tags(&actor);
	struct lf_sock *sock;
	int pass = LF_PASS;

	if (!tags)
		return LF_PASS;
	if (sk->type != LF_SOCK_STREAM && sk->type != LF_SOCK_DGRAM)
		pass = lf_forbid(LF_S_CREATE, LF_R_RAW_SOCKET, tags, &actor, sk);
	else if (!lf_protocol(sk->protocol))
		pass = lf_forbid(LF_S_CREATE, LF_R_FORBIDDEN_PROTOCOL, tags, &actor, sk);
	if (pass != LF_PASS)
		return pass;
	sock = lf_sock_make(sk, bpf_get_socket_cookie(sk));
	if (!sock) {
		lf_forbid(LF_S_CREATE, LF_R_NO_STORAGE, tags, &actor, sk);
		return LF_REFUSE;
	}
	lf_taint(sock, tags, &actor);
	return LF_PASS;
}

/* The addresses of a packet from (saddr, local_port) to q's remote, as the receiving side looks it up. */
static __always_inline u32 lf_tuple(struct bpf_sock_tuple *tuple, struct lf_question *q, const u8 *saddr)
{
	u8 unspecified[16] = {};
	u32 *remote = (u32 *)q->remote;

	if (!lf_is_ipv4(q->remote)) {
		if (remote[0] | remote[1] | remote[2] | remote[3])
			__builtin_memcpy(tuple->ipv6.daddr, q->remote, 16);
		else
			tuple->ipv6.daddr[3] = bpf_htonl(1);
		__builtin_memcpy(tuple->ipv6.saddr, saddr ? saddr : unspecified, 16);
		tuple->ipv6.sport = bpf_htons(q->local_port);
		tuple->ipv6.dport = bpf_htons(q->remote_port);
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.daddr = remote[3] ? remote[3] : bpf_htonl(0x7f000001);
	tuple->ipv4.saddr = saddr ? ((u32 *)saddr)[3] : 0;
	tuple->ipv4.sport = bpf_htons(q->local_port);
	tuple->ipv4.dport = bpf_htons(q->remote_port);
	return sizeof(tuple->ipv4);
}

/* Tags of the local socket that would receive a packet to q's remote; 0 when it has none, or nobody listens. */
static __always_inline u64 lf_peer_tags(void *ctx, struct lf_question *q, const u8 *saddr)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *peer;
	struct lf_sock *theirs;
	u32 size = lf_tuple(&tuple, q, saddr);
	u64 tags = 0;

	if (q->protocol == LF_PROTO_TCP)
		peer = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		peer = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!peer)
		return 0;
	theirs = sockets.sk_storage_get(peer, 0, 0);
	if (theirs)
		tags = theirs->tags;
	bpf_sk_release(peer);
	return tags;
}

/* Has this UDP socket received anything from there? */
static __always_inline u8 lf_has_heard(u64 cookie, struct lf_question *q)
{
	struct lf_heard_key key = {.cookie = cookie, .remote_port = q->remote_port};

	__builtin_memcpy(key.remote, q->remote, 16);
	return heard.lookup(&key) != NULL;
}

/*
 * An untagged process asks a tagged local server for data. If policy does not let that server answer, its SYN-ACK
 * would be dropped and the client hang: ask here whether it could, as that server. Remote clients cannot be told.
 */
static __always_inline void lf_ask_as_server(struct bpf_sock_addr *ctx, struct lf_question *q)
{
	struct lf_control *ctl = lf_control();

	if (!ctl || !ctl->tagged || q->protocol != LF_PROTO_TCP || !lf_is_own(q->remote))
		return;
	q->tags = lf_peer_tags(ctx, q, NULL);
	q->local = 1;
	q->serving = 1;
	q->local_port = q->remote_port;
	q->remote_port = 0;
}

static __always_inline void lf_ask_as_client(struct bpf_sock_addr *ctx, struct lf_question *q, struct bpf_sock *sk,
                                             u64 cookie)
{
	q->local = lf_is_own(q->remote);
	if (q->protocol == LF_PROTO_UDP)
		q->serving = lf_has_heard(cookie, q);
	q->local_port = q->serving ? sk->src_port : 0;
	if (q->local && q->protocol != LF_PROTO_ICMP)
		q->peer_tags = lf_peer_tags(ctx, q, NULL);
}

/* connect() and Fast Open. Every call by or on something tagged is a decision and an event. */
static __always_inline int lf_connect(struct bpf_sock_addr *ctx, struct lf_question *q, u8 family)
{
	struct lf_actor actor = {};
	struct lf_answer a = {};
	struct bpf_sock *sk = ctx->sk;
	struct lf_sock *sock;
	u64 tags = lf_current_tags(&actor), cookie;

	q->protocol = lf_protocol(ctx->protocol);
	q->remote_port = bpf_ntohs(ctx->user_port);
	if (!sk)
		return tags ? LF_REFUSE : LF_PASS;
	cookie = bpf_get_socket_cookie(ctx);
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!sock && tags) {
		sock = lf_sock_make(sk, cookie);
		if (!sock) {
			lf_forbid(LF_S_CONNECT, LF_R_NO_STORAGE, tags, &actor, sk);
			return LF_REFUSE;
		}
	}
	if (sock) {
		sock->origin = cookie; /* an accepted socket that connects anew is no longer a server's */
		q->tags = lf_taint(sock, tags, &actor);
	}
	if (q->tags)
		lf_ask_as_client(ctx, q, sk, cookie);
	else
		lf_ask_as_server(ctx, q);
	if (!q->tags)
		return LF_PASS;
	if (!actor.tgid)
		lf_current(&actor);
	if (!q->protocol)
		return lf_forbid(LF_S_CONNECT, LF_R_FORBIDDEN_PROTOCOL, q->tags, &actor, sk);
	lf_decide(q, &a);
	if (!sock && a.verdict == LF_ALLOW)
		return LF_PASS; /* the server's own packets are recorded, not that somebody may ask */
	lf_report(LF_S_CONNECT, q, &a, &actor, cookie, family, ctx->type, 0);
	return a.verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}

int lf_connect4(struct bpf_sock_addr *ctx)
{
	struct lf_question q = {};

	lf_map_ipv4(q.remote, ctx->user_ip4);
	return lf_connect(ctx, &q, LF_AF_INET);
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

int lf_connect6(struct bpf_sock_addr *ctx)
{
	struct lf_question q = {};

	lf_read_ipv6(ctx, q.remote);
	return lf_connect(ctx, &q, LF_AF_INET6);
}

/* Sending on an unconnected UDP socket. */
static __always_inline int lf_sendmsg(struct bpf_sock_addr *ctx, struct lf_question *q, u8 family)
{
	struct lf_actor actor = {};
	struct lf_answer a = {};
	struct bpf_sock *sk = ctx->sk;
	struct lf_control *ctl = lf_control();
	struct lf_sock *sock;
	u64 tags = lf_current_tags(&actor), cookie;

	if (!sk || !ctl)
		return tags ? LF_REFUSE : LF_PASS;
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!tags && !sock)
		return LF_PASS;
	cookie = bpf_get_socket_cookie(ctx);
	if (!sock)
		sock = lf_sock_make(sk, cookie);
	q->protocol = lf_protocol(ctx->protocol);
	if (!sock) {
		lf_forbid(LF_S_SENDMSG, LF_R_NO_STORAGE, tags, &actor, sk);
		return LF_REFUSE;
	}
	q->tags = lf_taint(sock, tags, &actor);
	q->remote_port = bpf_ntohs(ctx->user_port);
	if (!q->tags || !q->remote_port) /* no address: a connected socket with a control message; egress judges */
		return LF_PASS;
	if (!actor.tgid)
		lf_current(&actor);
	q->local_port = sk->src_port;
	q->local = lf_is_own(q->remote);
	if (q->local)
		q->peer_tags = lf_peer_tags(ctx, q, NULL);
	if (lf_cached(sock, q, ctl->generation, bpf_ktime_get_boot_ns()) == LF_ALLOW) {
		lf_count_at(LF_S_SENDMSG, LF_C_CACHED);
		return LF_PASS;
	}
	q->serving = lf_has_heard(cookie, q);
	lf_decide(q, &a);
	if (q->local_port)
		lf_cache(sock, q, &a);
	lf_report(LF_S_SENDMSG, q, &a, &actor, cookie, family, ctx->type, 0);
	return a.verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}

int lf_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct lf_question q = {};

	lf_map_ipv4(q.remote, ctx->user_ip4);
	return lf_sendmsg(ctx, &q, LF_AF_INET);
}

int lf_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct lf_question q = {};

	lf_read_ipv6(ctx, q.remote);
	return lf_sendmsg(ctx, &q, LF_AF_INET6);
}

/* Receiving on a tagged UDP socket: the sender may be answered, if a serve rule says so. */
static __always_inline int lf_recvmsg(struct bpf_sock_addr *ctx, u8 *remote)
{
	struct lf_heard_key key = {.remote_port = bpf_ntohs(ctx->user_port)};
	struct bpf_sock *sk = ctx->sk;
	u64 now = bpf_ktime_get_boot_ns();
	struct lf_sock *sock;

	if (!sk)
		return LF_PASS;
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!sock)
		return LF_PASS;
	key.cookie = bpf_get_socket_cookie(ctx);
	__builtin_memcpy(key.remote, remote, 16);
	if (heard.lookup(&key))
		return LF_PASS;
	if (heard.update(&key, &now))
		lf_count_failure(LF_F_HEARD_MAP);
	bpf_spin_lock(&sock->lock);
	sock->generation = 0; /* what was refused before may be an answer now */
	bpf_spin_unlock(&sock->lock);
	return LF_PASS;
}

int lf_recvmsg4(struct bpf_sock_addr *ctx)
{
	u8 remote[16];

	lf_map_ipv4(remote, ctx->user_ip4);
	return lf_recvmsg(ctx, remote);
}

int lf_recvmsg6(struct bpf_sock_addr *ctx)
{
	u8 remote[16] __attribute__((aligned(8)));

	lf_read_ipv6(ctx, remote);
	return lf_recvmsg(ctx, remote);
}
