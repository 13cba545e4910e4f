/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict: every packet that leaves a tagged socket, whatever system call, kernel worker or timer sent it, after
 * address translation and source routing have had their say.
 */

#define LF_LOOPBACK_IFINDEX  1
#define LF_IPV6_FIXED        40
#define LF_EXTENSION_HEADERS 6
#define LF_DATAGRAM_HEADER   8  /* of UDP and ICMP */
#define LF_TCP_LENGTH_AT     12 /* in the high half of the byte, in words */

/* What the packet says about itself. */
struct lf_packet {
	u8 source[16];
	u32 transport_at; /* offset of the transport header */
	u8 ip_protocol;
	u8 family;
	u8 reason;   /* not 0: why it cannot be judged */
	u8 fragment; /* not 0: a part without ports, see device.c */
};

/* The beginning of a packet whose ports come right after its addresses, as most do. */
struct lf_ipv4_start {
	struct iphdr ip;
	u16 ports[2];
};

struct lf_ipv6_start {
	struct ipv6hdr ip;
	u16 ports[2];
};

/* Bytes of the packet, counted from its IP header. */
static __always_inline long lf_load(struct __sk_buff *skb, u32 at, void *to, u32 size)
{
	return bpf_skb_load_bytes_relative(skb, at, to, size, BPF_HDR_START_NET);
}

static __always_inline void lf_parse_ipv4(struct __sk_buff *skb, struct lf_packet *p, struct lf_question *q)
{
	struct iphdr header;

	p->family = LF_AF_INET;
	if (lf_load(skb, 0, &header, sizeof(header))) {
		p->reason = LF_R_MALFORMED;
		return;
	}
	lf_map_ipv4(p->source, header.saddr);
	lf_map_ipv4(q->remote, header.daddr);
	p->ip_protocol = header.protocol;
	p->transport_at = header.ihl * 4;
	if (header.ihl != 5)
		p->reason = LF_R_SOURCE_ROUTE;
	else if (header.frag_off & bpf_htons(0x1fff)) {
		p->reason = LF_R_MALFORMED;
		p->fragment = 1;
	}
}

/* Walks the extension headers; one that reroutes, or one that is unknown, cannot be judged. RFC 8200, section 4. */
static __always_inline void lf_parse_ipv6(struct __sk_buff *skb, struct lf_packet *p, struct lf_question *q)
{
	struct ipv6hdr header;
	u8 extension[2], next;
	u32 at = LF_IPV6_FIXED;

	p->family = LF_AF_INET6;
	if (lf_load(skb, 0, &header, sizeof(header))) {
		p->reason = LF_R_MALFORMED;
		return;
	}
	__builtin_memcpy(p->source, &header.saddr, 16);
	__builtin_memcpy(q->remote, &header.daddr, 16);
	next = header.nexthdr;
	for (u32 i = 0; i < LF_EXTENSION_HEADERS; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS)
			break;
		if (lf_load(skb, at, extension, sizeof(extension))) {
			p->reason = LF_R_MALFORMED;
			return;
		}
		next = extension[0];
		at += (extension[1] + 1) * 8;
	}
	if (next == IPPROTO_ROUTING)
		p->reason = LF_R_SOURCE_ROUTE;
	p->fragment = next == IPPROTO_FRAGMENT;
	p->ip_protocol = next;
	p->transport_at = at;
}

static __always_inline void lf_parse_transport(struct __sk_buff *skb, struct lf_packet *p, struct lf_question *q)
{
	u16 both[2];

	q->protocol = lf_protocol(p->ip_protocol);
	if (p->reason && p->reason != LF_R_SOURCE_ROUTE)
		return;
	if (!q->protocol && !p->reason)
		p->reason = LF_R_FORBIDDEN_PROTOCOL;
	if (!q->protocol)
		return;
	if (q->protocol == LF_PROTO_ICMP)
		return;
	if (lf_load(skb, p->transport_at, both, sizeof(both))) {
		p->reason = LF_R_MALFORMED;
		return;
	}
	q->local_port = bpf_ntohs(both[0]);
	q->remote_port = bpf_ntohs(both[1]);
}

/* Most packets: TCP, UDP or ICMP right behind the addresses, all of it in the buffer's head. The rest takes four times
 * as long. */
static __always_inline bool lf_parse_plain(struct __sk_buff *skb, struct lf_packet *p, struct lf_question *q)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct lf_ipv4_start *v4 = data;
	struct lf_ipv6_start *v6 = data;
	u16 *ports;

	if ((void *)(v4 + 1) > end)
		return false;
	if (*(u8 *)data == 0x45 && !(v4->ip.frag_off & bpf_htons(0x1fff))) {
		p->family = LF_AF_INET;
		p->ip_protocol = v4->ip.protocol;
		p->transport_at = sizeof(v4->ip);
		lf_map_ipv4(p->source, v4->ip.saddr);
		lf_map_ipv4(q->remote, v4->ip.daddr);
		ports = v4->ports;
	} else if (*(u8 *)data >> 4 == 6 && (void *)(v6 + 1) <= end) {
		p->family = LF_AF_INET6;
		p->ip_protocol = v6->ip.nexthdr;
		p->transport_at = LF_IPV6_FIXED;
		__builtin_memcpy(p->source, &v6->ip.saddr, 16);
		__builtin_memcpy(q->remote, &v6->ip.daddr, 16);
		ports = v6->ports;
	} else {
		return false;
	}
	q->protocol = lf_protocol(p->ip_protocol);
	if (q->protocol && q->protocol != LF_PROTO_ICMP) {
		q->local_port = bpf_ntohs(ports[0]);
		q->remote_port = bpf_ntohs(ports[1]);
	}
	return q->protocol;
}

static __always_inline void lf_parse(struct __sk_buff *skb, struct lf_packet *p, struct lf_question *q)
{
	u8 version = 0;

	if (lf_load(skb, 0, &version, 1))
		p->reason = LF_R_MALFORMED;
	else if (version >> 4 == 4)
		lf_parse_ipv4(skb, p, q);
	else if (version >> 4 == 6)
		lf_parse_ipv6(skb, p, q);
	else
		p->reason = LF_R_MALFORMED;
	lf_parse_transport(skb, p, q);
}

/* What listens sends and receives for connections that count for themselves as soon as they are made. */
static __always_inline bool lf_is_listener(struct __sk_buff *skb)
{
	return skb->sk && skb->sk->state == LF_TCP_LISTEN;
}

/* The packet as its flow counts it: as many as it is cut into, and the bytes behind the transport header. */
static __always_inline void lf_measure(struct __sk_buff *skb, struct lf_packet *p, u8 protocol,
                                       struct lf_passed *passed)
{
	u32 headers = p->transport_at + LF_DATAGRAM_HEADER;
	u8 words = 0;

	if (protocol == LF_PROTO_TCP && !lf_load(skb, p->transport_at + LF_TCP_LENGTH_AT, &words, 1))
		headers = p->transport_at + (words >> 4) * 4;
	passed->bytes = skb->len > headers ? skb->len - headers : 0;
	passed->family = p->family;
	if (passed->bytes || !lf_is_listener(skb))
		passed->packets = skb->gso_segs ? skb->gso_segs : 1;
}

/* A socket that answers: made by a listener for a client, the listener itself, or UDP that was spoken to. */
static __always_inline u8 lf_is_serving(struct bpf_sock *sk, struct lf_sock *sock, u64 cookie, struct lf_question *q)
{
	if (q->protocol == LF_PROTO_TCP)
		return sk->state == LF_TCP_LISTEN || sock->origin != cookie;
	return q->protocol == LF_PROTO_UDP && lf_has_heard(cookie, q);
}

static __always_inline int lf_pass(u8 verdict)
{
	return verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}

/*
 * The tagged process that is sending just now on a socket, perhaps one that somebody else made. In egress a stranger
 * may be current, whose soft interrupts send for others: they have a stack of their own (but for busy polling), and
 * send on no TCP socket that a process has locked. Sockets of the kernel have no file.
 * NULL also for one whose classes are all among the known ones.
 */
static __always_inline struct lf_task *lf_sender(struct bpf_sock *sk, struct lf_control *ctl, u64 known)
{
	struct lf_task *task;
	u64 address;

	if (!(ctl->guarded | ctl->lsm) || !(ctl->tagged & ~known))
		return NULL;
	task = lf_task_of(lf_field32(bpf_get_current_task(), LF_TASK_TGID));
	if (!task || !(task->tags & ~known) || !lf_is_on_own_stack())
		return NULL;
	address = lf_address_of(sk);
	if (lf_field16(address, LF_SOCK_PROTOCOL) == IPPROTO_TCP && !lf_field32(address, LF_SOCK_OWNED))
		return NULL;
	return lf_file_of(address) ? task : NULL;
}

/* Programs on packets may not ask helpers for these on older kernels. */
static __always_inline void lf_act_as(struct lf_actor *actor, struct lf_task *task)
{
	u64 us = bpf_get_current_task();

	actor->image = task->image;
	actor->netns = task->netns;
	actor->tgid = lf_field32(us, LF_TASK_TGID);
	actor->uid = lf_field32(lf_field(us, LF_TASK_CRED), LF_CRED_UID);
}

/* The storage of a socket, with its sender's tags. NULL, counted, when there is no memory for it. */
static __always_inline struct lf_sock *lf_taint_sent(struct __sk_buff *skb, struct lf_sock *sock,
                                                     struct lf_task *sender)
{
	struct lf_actor actor = {};
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return sock;
	if (!sock)
		sock = lf_sock_make(sk, bpf_get_socket_cookie(skb));
	if (!sock)
		return NULL;
	lf_act_as(&actor, sender);
	actor.foreign = lf_is_foreign(&actor, lf_field(lf_field(lf_address_of(sk), LF_SOCK_NET), LF_NET_COOKIE));
	lf_taint(sock, sender->tags, &actor);
	return sock;
}

/* The tags of the MPTCP socket that a TCP socket carries the data of; they are given to that one alone. */
static __always_inline struct lf_sock *lf_carried(struct bpf_sock *sk)
{
#ifdef LF_HAVE_MPTCP
	void *carried = bpf_skc_to_mptcp_sock(sk);

	return carried ? sockets.sk_storage_get(carried, 0, 0) : NULL;
#else
	return NULL;
#endif
}

static __always_inline int lf_refuse_untainted(struct __sk_buff *skb, struct lf_task *sender)
{
	struct lf_question q = {.tags = sender->tags};
	struct lf_actor actor = {};
	struct lf_answer a = {};

	lf_act_as(&actor, sender);
	lf_refuse_all(&a, sender->tags, LF_R_NO_STORAGE);
	lf_report(LF_S_EGRESS, &q, &a, &actor, bpf_get_socket_cookie(skb), skb->family, 0, skb->ifindex);
	return LF_REFUSE;
}

int lf_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk, *full;
	struct lf_control *ctl = lf_control();
	struct lf_question q = {};
	struct lf_packet packet = {};
	struct lf_answer a = {};
	struct lf_actor actor = {};
	struct lf_passed passed = {};
	struct lf_sock *sock;
	struct lf_task *sender;
	u64 cookie;
	u8 verdict;

	if (!sk || !ctl || !ctl->tagged)
		return LF_PASS;
	sock = sockets.sk_storage_get(sk, 0, 0);
	sender = lf_sender(sk, ctl, sock ? sock->tags : 0);
	if (sender) {
		sock = lf_taint_sent(skb, sock, sender);
		if (!sock)
			return lf_refuse_untainted(skb, sender);
	}
	if (!sock && ctl->guarded) {
		sock = lf_carried(sk);
		packet.reason = LF_R_FORBIDDEN_PROTOCOL;
	}
	if (!sock || !sock->tags)
		return LF_PASS;
	q.tags = sock->tags;
	q.foreign = sock->foreign != 0;
	q.local = skb->ifindex == LF_LOOPBACK_IFINDEX;
	if (!lf_parse_plain(skb, &packet, &q))
		lf_parse(skb, &packet, &q);
	if (q.local && q.protocol == LF_PROTO_UDP && !lf_is_broadcast(skb, &q))
		q.peer_tags = lf_peer_tags(skb, &q, packet.source);
	lf_measure(skb, &packet, q.protocol, &passed);
	if (!packet.reason) {
		verdict = lf_cached(sock, &q, ctl->generation, &passed);
		if (verdict) {
			lf_count_at(LF_S_EGRESS, LF_C_CACHED);
			goto judged;
		}
	}
	cookie = bpf_get_socket_cookie(skb);
	full = bpf_sk_fullsock(sk);
	if (!full || (full->type != LF_SOCK_STREAM && full->type != LF_SOCK_DGRAM))
		packet.reason = LF_R_RAW_SOCKET; /* what its headers say need not be true */
	if (packet.reason) {
		lf_refuse_for(&a, q.tags, packet.reason);
	} else {
		q.serving = lf_is_serving(sk, sock, cookie, &q);
		if (q.local && q.protocol == LF_PROTO_TCP)
			q.peer_tags = lf_peer_tags(skb, &q, packet.source);
		lf_decide(&q, &a);
		lf_cache(sock, &q, &a);
	}
	actor.image = sock->image;
	actor.tgid = sock->tgid;
	actor.uid = sock->uid;
	lf_report(LF_S_EGRESS, &q, &a, &actor, cookie, packet.family, 0, skb->ifindex);
	verdict = a.verdict;
judged:
	if (verdict != LF_DENY && passed.packets && !passed.counted)
		lf_flow_sent(skb, sock, &q, &passed, verdict);
	return lf_pass(verdict);
}
