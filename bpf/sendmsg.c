/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sending to an address and receiving from one. The verdict that counts is egress; here it gets a clear EPERM. */

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
	if (tags)
		actor.foreign = lf_is_foreign(&actor, bpf_get_netns_cookie(ctx));
	q->tags = lf_taint(sock, tags, &actor);
	q->foreign = sock->foreign;
	q->remote_port = bpf_ntohs(ctx->user_port);
	if (!q->tags || !q->remote_port) /* no address: a connected socket with a control message; egress judges */
		return LF_PASS;
	if (!actor.tgid)
		lf_current(&actor);
	q->local_port = sk->src_port;
	q->local = lf_is_own(q->remote);
	if (q->local)
		q->peer_tags = lf_peer_tags(ctx, q, NULL);
	if (lf_cached(sock, q, ctl->generation, NULL) == LF_ALLOW) {
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
