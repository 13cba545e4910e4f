/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The backstop, on every link but loopback of our network namespace and of those that tagged processes live in: frames
 * of tagged senders that no inet hook has seen, or not as they are now. Frames of packet sockets are refused. IP
 * packets are judged once more, since what leaves may be another packet than the one that egress passed: a tunnel's, or
 * one that was rewritten on its way. Answers by SYN cookie are judged as their listener's. Who has no tags passes.
 *
 * At the link a stranger may be current, as in egress. Who sends a packet socket's frame is known at the first link
 * that it passes, hence every link, not the physical ones alone.
 */

#define LF_NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC: other programs have their say */
#define LF_SHOT 2    /* TC_ACT_SHOT */

#define LF_TCP_FLAGS_AT   13 /* RFC 9293, section 3.1 */
#define LF_TCP_SYN_ACK    0x12
#define LF_LONGEST_ANSWER 256 /* headers alone, with all options that there can be */

#define LF_ETH_P_IP   0x0800
#define LF_ETH_P_IPV6 0x86dd

/* Tags of a sender that is no inet socket. */
static __always_inline u64 lf_frame_tags(struct bpf_sock *sk, struct lf_sock *sock, struct lf_control *ctl,
                                         struct lf_actor *actor)
{
	u64 tags = sock ? sock->tags : 0;
	struct lf_task *sender = lf_sender(sk, ctl, tags);

	if (!sender)
		return tags;
	lf_act_as(actor, sender);
	return tags | sender->tags;
}

/* One part of a packet that was allowed as a whole has no ports: the policy must know its destination. */
static __always_inline bool lf_is_known(struct lf_question *q)
{
	struct lf_policy *policy = lf_active();
	struct lf_sum sum = {};

	if (!policy)
		return false;
	sum.slot = policy->generation % LF_SLOTS;
	return lf_dest(&sum, LF_SPACE_ALLOW, q->remote) || lf_dest(&sum, LF_SPACE_SERVE, q->remote);
}

static __always_inline int lf_refuse_frame(struct __sk_buff *skb, struct lf_question *q, struct lf_answer *a,
                                           struct lf_actor *actor, u32 family)
{
	lf_report(LF_S_DEVICE, q, a, actor, bpf_get_socket_cookie(skb), family, 0, skb->ifindex);
	return a->verdict == LF_DENY ? LF_SHOT : LF_NEXT;
}

static __always_inline bool lf_is_about(struct lf_sock *sock, struct lf_question *q, u16 *ports)
{
	return q->protocol == sock->protocol && lf_same_address(q->remote, sock->remote) &&
	       (q->protocol == LF_PROTO_ICMP ||
	        (bpf_ntohs(ports[0]) == sock->local_port && bpf_ntohs(ports[1]) == sock->remote_port));
}

/*
 * Is this what the socket's last verdict, a moment ago in egress, was about? No lock: a verdict that changes under our
 * eyes is about another packet of the same socket, which egress has passed as well. The whole way costs four times
 * this.
 */
static __always_inline bool lf_is_as_passed(struct __sk_buff *skb, struct lf_sock *sock, struct lf_control *ctl)
{
	struct lf_ipv4_start v4;
	struct lf_ipv6_start v6;
	struct lf_question q;

	if (sock->generation != ctl->generation || sock->verdict == LF_DENY || sock->local)
		return false;
	if (skb->protocol == bpf_htons(LF_ETH_P_IP)) {
		if (lf_load(skb, 0, &v4, sizeof(v4)) || v4.ip.version != 4 || v4.ip.ihl != 5 ||
		    v4.ip.frag_off & bpf_htons(0x1fff))
			return false;
		lf_map_ipv4(q.remote, v4.ip.daddr);
		q.protocol = lf_protocol(v4.ip.protocol);
		return lf_is_about(sock, &q, v4.ports);
	}
	if (skb->protocol != bpf_htons(LF_ETH_P_IPV6) || lf_load(skb, 0, &v6, sizeof(v6)) || v6.ip.version != 6)
		return false;
	__builtin_memcpy(q.remote, &v6.ip.daddr, 16);
	q.protocol = lf_protocol(v6.ip.nexthdr);
	return lf_is_about(sock, &q, v6.ports);
}

/* A packet of an inet socket, which egress has passed in one form or another. */
static __always_inline int lf_device_packet(struct __sk_buff *skb, struct bpf_sock *sk, struct lf_sock *sock,
                                            struct lf_control *ctl)
{
	struct lf_question q = {.tags = sock->tags, .foreign = sock->foreign != 0};
	struct lf_actor actor = {.image = sock->image, .tgid = sock->tgid, .uid = sock->uid};
	struct lf_packet packet = {};
	struct lf_answer a = {};
	u8 verdict;

	if (lf_is_as_passed(skb, sock, ctl))
		return LF_NEXT;
	lf_parse(skb, &packet, &q);
	if (packet.reason) {
		if (packet.fragment && lf_is_known(&q))
			return LF_NEXT;
		lf_refuse_for(&a, q.tags, packet.reason);
		return lf_refuse_frame(skb, &q, &a, &actor, packet.family);
	}
	verdict = lf_cached(sock, &q, ctl->generation, NULL);
	if (verdict) {
		lf_count_at(LF_S_DEVICE, LF_C_CACHED);
		return verdict == LF_DENY ? LF_SHOT : LF_NEXT;
	}
	q.serving = lf_is_serving(sk, sock, bpf_get_socket_cookie(skb), &q);
	lf_decide(&q, &a);
	return a.verdict == LF_ALLOW ? LF_NEXT : lf_refuse_frame(skb, &q, &a, &actor, packet.family);
}

/* The listener that a packet answers for, if it is one of this namespace. */
static __always_inline struct lf_sock *lf_listener(struct __sk_buff *skb, struct lf_question *q,
                                                   struct lf_packet *packet)
{
	struct lf_question back = {.remote_port = q->local_port, .local_port = q->remote_port};
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;
	struct lf_sock *sock;
	u32 size;

	__builtin_memcpy(back.remote, packet->source, 16);
	size = lf_tuple(&tuple, &back, q->remote);
	listener = bpf_sk_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!listener)
		return NULL;
	sock = sockets.sk_storage_get(listener, 0, 0);
	bpf_sk_release(listener);
	return sock;
}

static __always_inline bool lf_is_handshake_answer(struct __sk_buff *skb, struct lf_question *q,
                                                   struct lf_packet *packet)
{
	u8 flags = 0;

	return q->protocol == LF_PROTO_TCP &&
	       !lf_load(skb, packet->transport_at + LF_TCP_FLAGS_AT, &flags, sizeof(flags)) &&
	       (flags & LF_TCP_SYN_ACK) == LF_TCP_SYN_ACK;
}

/*
 * The answer to a client by cookie (tcp_syncookies) belongs to no socket, so that egress never sees it; nor does it see
 * any IPv6 answer on older kernels (6.1), where it belongs to a socket that is being made.
 */
static __always_inline int lf_device_answer(struct __sk_buff *skb)
{
	struct lf_question q = {.serving = 1};
	struct lf_packet packet = {};
	struct lf_actor actor = {};
	struct lf_answer a = {};
	struct lf_sock *sock;

	if (skb->len > LF_LONGEST_ANSWER)
		return LF_NEXT;
	lf_parse(skb, &packet, &q);
	if (!lf_is_handshake_answer(skb, &q, &packet))
		return LF_NEXT;
	sock = lf_listener(skb, &q, &packet);
	if (!sock || !sock->tags)
		return LF_NEXT;
	q.tags = sock->tags;
	q.foreign = sock->foreign != 0;
	actor.image = sock->image;
	actor.tgid = sock->tgid;
	actor.uid = sock->uid;
	if (packet.reason)
		lf_refuse_for(&a, q.tags, packet.reason);
	else
		lf_decide(&q, &a);
	return a.verdict == LF_ALLOW ? LF_NEXT : lf_refuse_frame(skb, &q, &a, &actor, packet.family);
}

int lf_device(struct __sk_buff *skb)
{
	struct lf_control *ctl = lf_control();
	struct lf_actor actor = {};
	struct lf_question q = {};
	struct bpf_sock *sk = skb->sk;
	struct lf_answer a = {};
	struct lf_sock *sock;

	if (!ctl || !ctl->tagged)
		return LF_NEXT;
	if (!sk || !bpf_sk_fullsock(sk))
		return lf_device_answer(skb);
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (lf_is_inet(sk->family))
		return sock && sock->tags ? lf_device_packet(skb, sk, sock, ctl) : LF_NEXT;
	q.tags = lf_frame_tags(sk, sock, ctl, &actor);
	if (!q.tags)
		return LF_NEXT;
	lf_refuse_for(&a, q.tags, LF_R_FORBIDDEN_FAMILY);
	return lf_refuse_frame(skb, &q, &a, &actor, sk->family);
}
