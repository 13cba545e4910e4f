/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tier with BPF LSM, in place of guard.c: what would slip past every other hook is refused to tagged processes
 * with an EPERM, whichever system call or io_uring request asks for it, and nobody is killed. A program sees the
 * arguments of its hook; it does not run when an earlier one has refused.
 */

#define LF_EPERM 1

#define LF_PTRACE_ATTACH 2 /* PTRACE_MODE_ATTACH: to write into a process, or to take its descriptors */
#define LF_READING_FIRMWARE                                                                                            \
	1 /* enum kernel_read_file_id, enum kernel_load_data_id: the others run code, or say who may */
#define LF_CAP_SYS_ADMIN 21
#define LF_MAY_WRITE     2

#define LF_NL_PORT 4 /* in struct sockaddr_nl of uapi/linux/netlink.h: the two words say who gets the message */

#define LF_ANON_INODE_MAGIC     0x09041934 /* uapi/linux/magic.h */
#define LF_S_IFMT               0170000
#define LF_S_IFCHR              0020000
#define LF_DEVICE(major, minor) ((major) << 20 | (minor)) /* MKDEV of linux/kdev_t.h */

/* What a hook is about to refuse, for the event. */
struct lf_refusal {
	u64 missing; /* classes that are in the way; 0: all of them */
	u32 reason;
	u32 hook; /* enum lf_lsm_hook */
	u8 family;
	u8 type;
	u8 protocol;
	u8 pad;
};

/* Loads a field that is a pointer, so that the verifier knows what it points to. */
static __always_inline void *lf_follow(void *base, const u32 offset)
{
	void *value;

	asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(value) : "r"(base), "i"(offset));
	return value;
}

/* Records what is refused; -EPERM, or 0 when every class only records. */
static __always_inline int lf_say_no(struct lf_refusal *no, u64 tags, struct lf_actor *actor)
{
	struct lf_question q = {.tags = tags, .protocol = no->protocol, .detail = LF_CALL_LSM | no->hook};
	struct lf_policy *policy = lf_active();
	struct lf_answer a = {};

	lf_refuse_all(&a, no->missing ? no->missing : tags, no->reason);
	a.version = policy ? policy->version : 0;
	a.verdict = lf_refuses(a.missing) ? LF_DENY : LF_WOULD_DENY;
	lf_report(LF_S_SYSCALL, &q, &a, actor, 0, no->family, no->type, 0);
	return a.verdict == LF_DENY ? -LF_EPERM : 0;
}

static __always_inline int lf_forbid_call(u32 hook)
{
	struct lf_refusal no = {.reason = LF_R_FORBIDDEN_CALL, .hook = hook};
	struct lf_actor actor = {};
	u64 tags = lf_current_tags(&actor);

	return tags ? lf_say_no(&no, tags, &actor) : 0;
}

/* Also for both ends of a socketpair, and for io_uring. */
int lf_lsm_socket_create(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_refusal no = {.hook = LF_LSM_SOCKET_CREATE, .family = ctx->args[0], .type = ctx->args[1]};
	u32 protocol = ctx->args[2], kern = ctx->args[3];
	struct lf_actor actor = {};
	u64 tags;

	if (kern)
		return 0;
	tags = lf_current_tags(&actor);
	if (!tags)
		return 0;
	no.protocol = protocol;
	no.reason = lf_forbidden_socket(ctx->args[0], ctx->args[1], protocol);
	return no.reason ? lf_say_no(&no, tags, &actor) : 0;
}

/* Refuses a socket that nobody decides on, gives any other the tags of the thread that is about to use it. */
static __always_inline int lf_use_socket(void *socket, u32 hook, struct lf_actor *actor, u64 tags)
{
	void *sk = lf_follow(socket, LF_SOCKET_SK);
	struct lf_refusal no = {.hook = hook, .type = lf_field16((u64)socket, LF_SOCKET_TYPE)};
	struct lf_sock *sock;
	u32 protocol;

	if (!sk)
		return 0;
	protocol = lf_field16((u64)sk, LF_SOCK_PROTOCOL);
	no.family = lf_field16((u64)sk, LF_SOCK_FAMILY);
	no.protocol = protocol;
	no.reason = lf_forbidden_socket(no.family, no.type, protocol);
	if (no.reason)
		return lf_say_no(&no, tags, actor);
	if (!lf_is_inet(no.family) && no.family != LF_AF_UNIX)
		return 0;
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (!sock)
		sock = lf_sock_make(sk, bpf_get_socket_cookie(sk));
	if (!sock) {
		no.reason = LF_R_NO_STORAGE;
		lf_say_no(&no, tags, actor);
		return -LF_EPERM;
	}
	actor->foreign = lf_is_foreign(actor, lf_field(lf_field((u64)sk, LF_SOCK_NET), LF_NET_COOKIE));
	lf_taint(sock, tags, actor);
	return 0;
}

/* Notes which unix socket the current thread names; a thread that cannot be noted is judged as if it named none. */
static __always_inline void lf_note_name(u64 address, u64 size)
{
	u64 task = bpf_get_current_task();
	struct lf_unix_name name = {};

	if (address && lf_read_unix_name(address, size, &name))
		unix_calls.update(&task, &name);
	else
		unix_calls.delete(&task);
}

static __always_inline u32 lf_family_of(void *socket)
{
	return lf_field16(lf_field((u64)socket, LF_SOCKET_SK), LF_SOCK_FAMILY);
}

/* Does a netlink message go to another program, or to a group of them, by its address or since it is connected? */
static __always_inline bool lf_is_for_programs(void *socket, u64 message)
{
	u64 sk = lf_field((u64)socket, LF_SOCKET_SK);

	if (lf_field32(message, LF_MSG_NAME_LENGTH)) /* a name without a length counts for nothing */
		return lf_field(lf_field(message, LF_MSG_NAME), LF_NL_PORT);
	return lf_field32(sk, LF_NETLINK_PORT) || lf_field32(sk, LF_NETLINK_GROUP);
}

int lf_lsm_socket_sendmsg(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_refusal no = {.reason = LF_R_FORBIDDEN_FAMILY, .hook = LF_LSM_SOCKET_SENDMSG};
	void *socket = (void *)ctx->args[0];
	struct lf_actor actor = {};
	u64 tags = lf_current_tags(&actor), message = ctx->args[1];

	if (!tags)
		return 0;
	no.family = lf_family_of(socket);
	if (no.family == LF_AF_NETLINK && lf_is_for_programs(socket, message))
		return lf_say_no(&no, tags, &actor);
	if (no.family == LF_AF_UNIX)
		lf_note_name(lf_field(message, LF_MSG_NAME), lf_field32(message, LF_MSG_NAME_LENGTH));
	return lf_use_socket(socket, LF_LSM_SOCKET_SENDMSG, &actor, tags);
}

/* Stamps unix sockets; cgroup/sock_create has done so with the others. */
int lf_lsm_socket_post_create(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_actor actor = {};
	u64 tags;

	if ((u32)ctx->args[1] != LF_AF_UNIX || (u32)ctx->args[4])
		return 0;
	tags = lf_current_tags(&actor);
	return tags ? lf_use_socket((void *)ctx->args[0], LF_LSM_SOCKET_POST_CREATE, &actor, tags) : 0;
}

/* Whoever accepts holds the name of the listener, also one that was passed to it. */
int lf_lsm_socket_accept(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_actor actor = {};
	u64 tags = lf_current_tags(&actor);

	return tags ? lf_use_socket((void *)ctx->args[0], LF_LSM_SOCKET_ACCEPT, &actor, tags) : 0;
}

int lf_lsm_socket_connect(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_control *ctl = lf_control();

	if (ctl && ctl->tagged && lf_family_of((void *)ctx->args[0]) == LF_AF_UNIX)
		lf_note_name(ctx->args[1], (u32)ctx->args[2]);
	return 0;
}

static __always_inline u64 lf_tags_on(void *sk)
{
	struct lf_sock *sock = sockets.sk_storage_get(sk, 0, 0);

	return sock ? sock->tags : 0;
}

/* Talking to a unix socket: who holds it must carry every class, or policy must name it. */
static __always_inline int lf_judge_unix(struct lf_question *q, struct lf_actor *actor, struct lf_unix_name *name,
                                         u32 type)
{
	struct lf_answer a = {};

	if (!actor->tgid)
		lf_current(actor);
	lf_decide_unix(q, &a, name);
	lf_report(LF_S_UNIX, q, &a, actor, 0, LF_AF_UNIX, type, 0);
	return a.verdict == LF_DENY ? -LF_EPERM : 0;
}

/* Bytes will go both ways: each end must carry what the other does. */
int lf_lsm_unix_stream_connect(struct bpf_raw_tracepoint_args *ctx)
{
	u64 task = bpf_get_current_task(), theirs = lf_tags_on((void *)ctx->args[1]), ours;
	struct lf_question q = {.local = 1};
	struct lf_actor actor = {};
	struct lf_unix_name *name;
	int refused;

	ours = lf_current_tags(&actor);
	if (!(ours | theirs))
		return 0;
	q.tags = ours | theirs;
	q.peer_tags = ours & theirs;
	name = unix_calls.lookup(&task);
	refused = lf_judge_unix(&q, &actor, name, LF_SOCK_STREAM);
	unix_calls.delete(&task);
	return refused;
}

/* Without a name the socket is connected, and was judged when it was. */
int lf_lsm_unix_may_send(struct bpf_raw_tracepoint_args *ctx)
{
	void *peer = lf_follow((void *)ctx->args[1], LF_SOCKET_SK);
	struct lf_question q = {.local = 1};
	u64 task = bpf_get_current_task();
	struct lf_actor actor = {};
	struct lf_unix_name *name = unix_calls.lookup(&task);
	int refused;

	q.tags = lf_current_tags(&actor);
	if (!q.tags || !name)
		return 0;
	if (peer)
		q.peer_tags = lf_tags_on(peer);
	refused = lf_judge_unix(&q, &actor, name, LF_SOCK_DGRAM);
	unix_calls.delete(&task);
	return refused;
}

/* Is `text`, in the kernel's memory, this name? */
static __always_inline bool lf_is_named(u64 text, const char *name, const u32 size)
{
	char seen[16] = {};

	bpf_probe_read_kernel_str(seen, sizeof(seen), (void *)text);
	for (u32 i = 0; i < size; i++)
		if (name[i] != seen[i])
			return false;
	return true;
}

/*
 * Is it a network device, whose frames pass no hook on sockets, or the memory of the host? The number of macvtap and
 * ipvtap differs from boot to boot: what they remember of a file begins with a sock, whose protocol tells them.
 */
static __always_inline bool lf_is_unjudged_device(u64 file, u64 inode)
{
	u64 protocol = lf_field(lf_field(file, LF_FILE_PRIVATE), LF_SOCK_PROTO);

	if ((lf_field16(inode, LF_INODE_MODE) & LF_S_IFMT) != LF_S_IFCHR)
		return false;
	switch (lf_field32(inode, LF_INODE_DEVICE)) {
	case LF_DEVICE(1, 1):    /* mem */
	case LF_DEVICE(1, 2):    /* kmem */
	case LF_DEVICE(1, 4):    /* port */
	case LF_DEVICE(10, 200): /* tun */
	case LF_DEVICE(10, 238): /* vhost-net */
	case LF_DEVICE(10, 241): /* vhost-vsock */
		return true;
	}
	return lf_is_named(protocol + LF_PROTO_NAME, "tap", 4);
}

/* A test run of such a program sends frames. */
static __always_inline bool lf_is_program(u64 file, u64 inode)
{
	return lf_field(lf_field(inode, LF_INODE_SUPER), LF_SUPER_MAGIC) == LF_ANON_INODE_MAGIC &&
	       lf_is_named(lf_field(lf_field(file, LF_FILE_DENTRY), LF_DENTRY_NAME), "bpf-prog", 9);
}

/* A descriptor that another process hands over (SCM_RIGHTS), or that is taken from it (pidfd_getfd). The kernel itself
 * lets no io_uring pass. */
int lf_lsm_file_receive(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_refusal no = {.reason = LF_R_FORBIDDEN_CALL, .hook = LF_LSM_FILE_RECEIVE};
	struct lf_actor actor = {};
	u64 tags, inode, file = ctx->args[0];
	void *socket;

	tags = lf_current_tags(&actor);
	if (!tags)
		return 0;
	socket = bpf_sock_from_file((void *)ctx->args[0]);
	if (socket)
		return lf_use_socket(socket, LF_LSM_FILE_RECEIVE, &actor, tags);
	inode = lf_field(file, LF_FILE_INODE);
	return lf_is_unjudged_device(file, inode) || lf_is_program(file, inode) ? lf_say_no(&no, tags, &actor) : 0;
}

#ifdef LF_HAVE_SENDPAGE
/* Before Linux 6.5 splice and sendfile send without socket_sendmsg. */
int lf_lsm_file_permission(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_actor actor = {};
	void *socket;
	u64 tags;

	if (!(ctx->args[1] & LF_MAY_WRITE))
		return 0;
	socket = bpf_sock_from_file((void *)ctx->args[0]);
	if (!socket)
		return 0;
	tags = lf_current_tags(&actor);
	return tags ? lf_use_socket(socket, LF_LSM_FILE_PERMISSION, &actor, tags) : 0;
}
#endif

/* A process may trace, write into, and take descriptors from those that carry its classes. */
int lf_lsm_ptrace_access_check(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_refusal no = {.reason = LF_R_FORBIDDEN_CALL, .hook = LF_LSM_PTRACE_ACCESS_CHECK};
	struct lf_actor actor = {};
	struct lf_task *other;
	u64 tags;

	if (!(ctx->args[1] & LF_PTRACE_ATTACH))
		return 0;
	tags = lf_current_tags(&actor);
	if (!tags)
		return 0;
	other = lf_task_of(lf_field32(ctx->args[0], LF_TASK_TGID));
	no.missing = tags & ~(other ? other->tags : 0);
	return no.missing ? lf_say_no(&no, tags, &actor) : 0;
}

int lf_lsm_bpf(struct bpf_raw_tracepoint_args *ctx)
{
	return lf_forbid_call(LF_LSM_BPF);
}

/* Modules, and kernels to be executed, by descriptor or from memory. */
int lf_lsm_kernel_read_file(struct bpf_raw_tracepoint_args *ctx)
{
	return (u32)ctx->args[1] == LF_READING_FIRMWARE ? 0 : lf_forbid_call(LF_LSM_KERNEL_READ_FILE);
}

int lf_lsm_kernel_load_data(struct bpf_raw_tracepoint_args *ctx)
{
	return (u32)ctx->args[0] == LF_READING_FIRMWARE ? 0 : lf_forbid_call(LF_LSM_KERNEL_LOAD_DATA);
}

int lf_lsm_tun_dev_create(struct bpf_raw_tracepoint_args *ctx)
{
	return lf_forbid_call(LF_LSM_TUN_DEV_CREATE);
}

int lf_lsm_tun_dev_open(struct bpf_raw_tracepoint_args *ctx)
{
	return lf_forbid_call(LF_LSM_TUN_DEV_OPEN);
}

/* Everything that io_uring does passes the other hooks; whether it may be set up is the policy's to say. */
int lf_lsm_inode_init_security_anon(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_refusal no = {.reason = LF_R_FORBIDDEN_CALL, .hook = LF_LSM_INODE_INIT_SECURITY_ANON};
	struct lf_policy *policy = lf_active();
	struct lf_actor actor = {};
	u64 tags;

	if (!lf_is_named(lf_field(ctx->args[1], LF_QSTR_NAME), "[io_uring]", 11))
		return 0;
	tags = lf_current_tags(&actor);
	if (!tags || (policy && !(tags & ~policy->io_uring)))
		return 0;
	return lf_say_no(&no, tags, &actor);
}

/* Asked before a network namespace is made or entered: rules hold in the one that is left. */
int lf_lsm_capable(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_task *task;

	if (ctx->args[2] != LF_CAP_SYS_ADMIN)
		return 0;
	task = lf_task_of(bpf_get_current_pid_tgid() >> 32);
	if (task && !task->netns)
		task->netns = lf_netns_of(bpf_get_current_task());
	return 0;
}
