/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What comes in, and where flows end. Attached only while something is tagged or could be. What leaves is counted in
 * egress.c.
 */

#define LF_TCP_SYN_SENT 2
#define LF_TCP_SYN_RECV 3
#define LF_TCP_CLOSE    7

/* Packets for a tagged socket. Nothing is judged here. */
int lf_ingress(struct __sk_buff *skb)
{
	struct lf_passed passed = {};
	struct lf_packet packet = {};
	struct bpf_sock *sk = skb->sk;
	struct lf_question q = {};
	struct lf_sock *sock;
	u16 port;

	if (!sk)
		return LF_PASS;
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!sock || !sock->tags)
		return LF_PASS;
	if (!lf_parse_plain(skb, &packet, &q))
		lf_parse(skb, &packet, &q);
	if (packet.reason)
		return LF_PASS;
	lf_measure(skb, &packet, q.protocol, &passed);
	if (!passed.packets)
		return LF_PASS;
	__builtin_memcpy(q.remote, packet.source, 16);
	port = q.local_port;
	q.local_port = q.remote_port;
	q.remote_port = port;
	q.local = skb->ifindex == LF_LOOPBACK_IFINDEX;
	lf_flow_received(sock, &q, &passed);
	return LF_PASS;
}

/* The last descriptor of an internet socket is closed. TCP may have something to send all the same. */
int lf_sock_release(struct bpf_sock *sk)
{
	struct lf_sock *sock = sockets.sk_storage_get(sk, 0, 0);

	if (sock && sock->tags && sk->protocol != IPPROTO_TCP)
		lf_flow_record(sock, bpf_get_socket_cookie(sk));
	return LF_PASS;
}

/* TCP: a connection begins, also one that has inherited from its listener, or is over. */
int lf_inet_sock_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	void *sk = (void *)ctx->args[0];
	u32 state = ctx->args[2];
	struct lf_sock *sock;

	if (state != LF_TCP_SYN_SENT && state != LF_TCP_SYN_RECV && state != LF_TCP_CLOSE)
		return 0;
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!sock || !sock->tags)
		return 0;
	if (state == LF_TCP_CLOSE) {
		lf_flow_record(sock, bpf_get_socket_cookie(sk));
		return 0;
	}
	bpf_spin_lock(&sock->lock);
	__builtin_memset(&sock->flow, 0, sizeof(sock->flow));
	bpf_spin_unlock(&sock->lock);
	return 0;
}
