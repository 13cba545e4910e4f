/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clients that ask a tagged listener. One that may not be served is refused before the kernel answers it: egress sees
 * that answer too, but not when it is made of a cookie (tcp_syncookies), since then it belongs to no socket. Attached
 * with the guard; whoever does not listen pays for one look at a socket's state.
 */

#define LF_TCP_FLAGS_AT 13 /* RFC 9293, section 3.1 */
#define LF_TCP_SYN      0x02
#define LF_TCP_ACK      0x10

/* The question that egress will ask about the answer to this packet. */
static __always_inline void lf_turn_round(struct lf_question *q, struct lf_packet *packet)
{
	u16 port = q->local_port;
	u8 own[16];

	__builtin_memcpy(own, q->remote, 16);
	__builtin_memcpy(q->remote, packet->source, 16);
	__builtin_memcpy(packet->source, own, 16);
	q->local_port = q->remote_port;
	q->remote_port = port;
}

/* What cannot be read counts as one. */
static __always_inline bool lf_asks_to_connect(struct __sk_buff *skb, struct lf_packet *packet)
{
	u8 flags = LF_TCP_SYN;

	if (!packet->reason)
		lf_load(skb, packet->transport_at + LF_TCP_FLAGS_AT, &flags, 1);
	return (flags & (LF_TCP_SYN | LF_TCP_ACK)) == LF_TCP_SYN;
}

/* Only a refusal is remembered, so that the first answer of those who are served is recorded where it leaves. */
static __always_inline void lf_ask_about_client(struct __sk_buff *skb, struct lf_question *q, struct lf_answer *a,
                                                struct lf_sock *sock, const u8 *own)
{
	if (q->local)
		q->peer_tags = lf_peer_tags(skb, q, own);
	lf_decide(q, a);
	if (a->verdict == LF_DENY)
		lf_cache(sock, q, a);
}

int lf_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct lf_question q = {.serving = 1};
	struct lf_packet packet = {};
	struct lf_actor actor = {};
	struct lf_answer a = {};
	struct lf_control *ctl;
	struct lf_sock *sock;
	u8 verdict;

	if (!sk || sk->state != LF_TCP_LISTEN)
		return LF_PASS;
	ctl = lf_control();
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!ctl || !sock || !sock->tags)
		return LF_PASS;
	lf_parse(skb, &packet, &q);
	if (!lf_asks_to_connect(skb, &packet))
		return LF_PASS;
	lf_turn_round(&q, &packet);
	q.tags = sock->tags;
	q.foreign = sock->foreign != 0;
	q.local = skb->ifindex == LF_LOOPBACK_IFINDEX;
	verdict = packet.reason || q.local ? 0 : lf_cached(sock, &q, ctl->generation);
	if (verdict) {
		lf_count_at(LF_S_CONNECT, LF_C_CACHED);
		return lf_pass(verdict);
	}
	if (packet.reason)
		lf_refuse_for(&a, q.tags, packet.reason);
	else
		lf_ask_about_client(skb, &q, &a, sock, packet.source);
	if (a.verdict == LF_ALLOW)
		return LF_PASS; /* what the server sends is recorded, not that somebody may ask */
	actor.image = sock->image;
	actor.tgid = sock->tgid;
	actor.uid = sock->uid;
	lf_report(LF_S_CONNECT, &q, &a, &actor, bpf_get_socket_cookie(skb), packet.family, LF_SOCK_STREAM,
	          skb->ifindex);
	return a.verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}
