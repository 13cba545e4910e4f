/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Making and connecting sockets: tags are stamped here, and refusals get a clear EPERM. */

/*
 * Who was tagged by its cgroup is bound to the network namespace where it makes its first socket, unless it executes
 * something before. Not at once: a container runtime moves its child first, which then enters its namespace, and makes
 * no internet socket on the way.
 */
static __always_inline void lf_bind_to(u64 netns, struct lf_actor *actor)
{
	struct lf_task *task = actor->netns ? NULL : lf_task_of(actor->tgid);

	if (task && !task->netns)
		task->netns = netns;
}

int lf_sock_create(struct bpf_sock *sk)
{
	struct lf_actor actor = {};
	u64 tags = lf_current_tags(&actor);
	struct lf_sock *sock;
	int pass = LF_PASS;

	if (!tags)
		return LF_PASS;
	lf_bind_to(bpf_get_netns_cookie(sk), &actor);
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
	actor.foreign = lf_is_foreign(&actor, bpf_get_netns_cookie(sk));
	lf_taint(sock, tags, &actor);
	return LF_PASS;
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
		if (tags)
			actor.foreign = lf_is_foreign(&actor, bpf_get_netns_cookie(ctx));
		q->tags = lf_taint(sock, tags, &actor);
		q->foreign = sock->foreign;
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

int lf_connect6(struct bpf_sock_addr *ctx)
{
	struct lf_question q = {};

	lf_read_ipv6(ctx, q.remote);
	return lf_connect(ctx, &q, LF_AF_INET6);
}
