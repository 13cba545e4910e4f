/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tier without BPF LSM: system calls of tagged processes that would slip past every other hook. Attached only
 * while something is tagged or could be, since every system call of the host comes by.
 *
 * A call that emits nothing itself is stopped by SIGKILL: it may still run, but nobody is left to use what it made.
 * That takes that no other process shares the table of descriptors, so sharing it is forbidden too.
 */
#ifdef __x86_64__

#define LF_TS_COMPAT 2 /* of thread_info.status: a call of the 32-bit ABI, whatever the program is */

#define LF_SOCK_PACKET 10
#define LF_SOCK_TYPES  0xf /* the rest of socket's second argument are flags */

#define LF_PROC_SUPER_MAGIC 0x9fa0     /* uapi/linux/magic.h */
#define LF_MEM_NAME         0x006d656d /* "mem" */

#define LF_CLONE_FILES  0x400 /* uapi/linux/sched.h */
#define LF_PIDTYPE_TGID 1
#define LF_NR_SENDMSG   46 /* names a send in events, and a clone, whichever call it was */
#define LF_NR_CLONE     56

#define LF_PTRACE_TRACEME 0
#define LF_TUNSETIFF      0x400454ca
#define LF_SYS_SOCKET     1 /* of socketcall */
#define LF_SYS_SOCKETPAIR 8

/* What is done about a call. */
enum lf_action {
	LF_ACT_NONE = 0,
	LF_ACT_FAMILY,     /* creates a socket of the family in its first argument */
	LF_ACT_SOCKETCALL, /* the 32-bit multiplexer: its arguments lie in memory that can change after we look */
	LF_ACT_FORBID,
	LF_ACT_URING,
	LF_ACT_PTRACE,
	LF_ACT_IOCTL,
	LF_ACT_WRITE, /* writes to its first argument, which may be the memory of another process */
};

struct lf_call {
	u64 first;
	u64 second;
	u64 third;
	u32 number;
	u32 compat;
};

/* Numbers of arch/x86/entry/syscalls/syscall_64.tbl */
static __always_inline u32 lf_action_64(u32 number)
{
	if (number >> 30 == 1) /* those of x32, which few kernels still have, and nobody uses */
		return LF_ACT_FORBID;
	switch (number) {
	case 41: /* socket */
	case 53: /* socketpair */
		return LF_ACT_FAMILY;
	case 1:   /* write */
	case 18:  /* pwrite64 */
	case 20:  /* writev */
	case 296: /* pwritev */
	case 328: /* pwritev2 */
		return LF_ACT_WRITE;
	case 425: /* io_uring_setup */
	case 426: /* io_uring_enter */
	case 427: /* io_uring_register */
		return LF_ACT_URING;
	case 101: /* ptrace */
		return LF_ACT_PTRACE;
	case 16: /* ioctl */
		return LF_ACT_IOCTL;
	case 175: /* init_module */
	case 246: /* kexec_load */
	case 311: /* process_vm_writev */
	case 313: /* finit_module */
	case 320: /* kexec_file_load */
	case 321: /* bpf */
	case 438: /* pidfd_getfd */
		return LF_ACT_FORBID;
	}
	return LF_ACT_NONE;
}

/* Numbers of arch/x86/entry/syscalls/syscall_32.tbl */
static __always_inline u32 lf_action_32(u32 number)
{
	switch (number) {
	case 359: /* socket */
	case 360: /* socketpair */
		return LF_ACT_FAMILY;
	case 102: /* socketcall */
		return LF_ACT_SOCKETCALL;
	case 4:   /* write */
	case 146: /* writev */
	case 181: /* pwrite64 */
	case 334: /* pwritev */
	case 379: /* pwritev2 */
		return LF_ACT_WRITE;
	case 425: /* io_uring_setup */
	case 426: /* io_uring_enter */
	case 427: /* io_uring_register */
		return LF_ACT_URING;
	case 26: /* ptrace */
		return LF_ACT_PTRACE;
	case 54: /* ioctl */
		return LF_ACT_IOCTL;
	case 128: /* init_module */
	case 283: /* kexec_load */
	case 348: /* process_vm_writev */
	case 350: /* finit_module */
	case 357: /* bpf */
	case 438: /* pidfd_getfd */
		return LF_ACT_FORBID;
	}
	return LF_ACT_NONE;
}

/* Offsets in struct pt_regs of arch/x86/include/uapi/asm/ptrace.h; the 32-bit ABI has its arguments elsewhere. */
static __always_inline void lf_read_call(u64 regs, struct lf_call *call)
{
	call->compat = lf_field32(bpf_get_current_task(), LF_TASK_STATUS) & LF_TS_COMPAT;
	if (call->compat) {
		call->first = lf_field32(regs, 40);
		call->second = lf_field32(regs, 88);
		call->third = lf_field32(regs, 96);
	} else {
		call->first = lf_field(regs, 112);
		call->second = lf_field(regs, 104);
		call->third = lf_field(regs, 96);
	}
}

/* The family that a call gets: SOCK_PACKET makes another one of AF_INET (__sock_create in net/socket.c). */
static __always_inline u32 lf_asked_family(struct lf_call *call)
{
	u32 family = call->first;

	return family == LF_AF_INET && (call->second & LF_SOCK_TYPES) == LF_SOCK_PACKET ? LF_AF_PACKET : family;
}

/* /proc/PID/mem of another process. The kernel writes nothing there for a task that has SIGKILL pending. */
static __always_inline bool lf_is_foreign_memory(u64 file)
{
	u64 name;

	if (!file ||
	    lf_field(lf_field(lf_field(file, LF_FILE_INODE), LF_INODE_SUPER), LF_SUPER_MAGIC) != LF_PROC_SUPER_MAGIC)
		return false;
	name = lf_field(lf_field(file, LF_FILE_DENTRY), LF_DENTRY_NAME);
	return lf_field32(name, 0) == LF_MEM_NAME &&
	       lf_field(file, LF_FILE_PRIVATE) != lf_field(bpf_get_current_task(), LF_TASK_MM);
}

static __always_inline bool lf_is_forbidden(u32 action, struct lf_call *call, u64 tags)
{
	struct lf_policy *policy = lf_active();

	switch (action) {
	case LF_ACT_FORBID:
		return true;
	case LF_ACT_FAMILY:
		return !lf_is_decided_family(lf_asked_family(call), call->third);
	case LF_ACT_SOCKETCALL:
		return call->first == LF_SYS_SOCKET || call->first == LF_SYS_SOCKETPAIR;
	case LF_ACT_URING:
		return !policy || tags & ~policy->io_uring;
	case LF_ACT_PTRACE:
		return call->first != LF_PTRACE_TRACEME;
	case LF_ACT_IOCTL:
		return (u32)call->second == LF_TUNSETIFF;
	case LF_ACT_WRITE:
		return lf_is_foreign_memory(lf_file_at(call->first));
	}
	return false;
}

/* Records the call, and kills the current process unless every class only records. Whether it was killed. */
static __always_inline bool lf_stop(u64 detail, u32 reason, u32 family, u64 tags, struct lf_actor *actor)
{
	struct lf_question q = {.tags = tags, .detail = detail};
	struct lf_policy *policy = lf_active();
	struct lf_answer a = {};
	u64 kills = lf_refuses(tags);

	lf_refuse_all(&a, tags, reason);
	a.version = policy ? policy->version : 0;
	a.verdict = kills ? LF_DENY : LF_WOULD_DENY;
	if (kills && bpf_send_signal(LF_SIGKILL))
		lf_count_failure(LF_F_SIGNAL);
	lf_report(LF_S_SYSCALL, &q, &a, actor, 0, family, 0, 0);
	return kills;
}

static __always_inline void lf_stop_call(u32 action, struct lf_call *call, u64 tags, struct lf_actor *actor)
{
	u64 detail = call->number | (call->compat ? LF_CALL_32BIT : 0);

	if (action == LF_ACT_FAMILY)
		lf_stop(detail, LF_R_FORBIDDEN_FAMILY, lf_asked_family(call), tags, actor);
	else
		lf_stop(detail, LF_R_FORBIDDEN_CALL, 0, tags, actor);
}

/* The socket that a tagged thread sends on, perhaps one that somebody else made. */
static __always_inline void lf_use(void *sk)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, family, reason;
	struct lf_control *ctl = lf_control();
	struct lf_actor actor = {};
	struct lf_sock *sock;
	struct lf_task *task;

	if (!ctl || !lf_maybe_tagged(tgid))
		return;
	sock = sockets.sk_storage_get(sk, 0, 0);
	if (sock && !(ctl->tagged & ~sock->tags)) /* nobody could add to them */
		return;
	task = lf_task_of(tgid);
	if (!task || (sock && !(task->tags & ~sock->tags)))
		return;
	lf_current(&actor);
	actor.image = task->image;
	actor.netns = task->netns;
	family = lf_half(sk, LF_SOCK_FAMILY);
	reason = lf_forbidden_socket(family, lf_half(sk, LF_SOCK_KIND), lf_half(sk, LF_SOCK_PROTOCOL));
	if (reason)
		lf_stop(LF_NR_SENDMSG, reason, family, task->tags, &actor);
	if (!lf_is_inet(family)) /* what is of a family that is judged leaves with tags all the same */
		return;
	if (!sock)
		sock = lf_sock_make(sk, bpf_get_socket_cookie(sk));
	if (!sock) {
		lf_stop(LF_NR_SENDMSG, LF_R_NO_STORAGE, family, task->tags, &actor);
		return;
	}
	actor.foreign = lf_is_foreign(&actor, lf_field(lf_field((u64)sk, LF_SOCK_NET), LF_NET_COOKIE));
	lf_taint(sock, task->tags, &actor);
}

int lf_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_call call = {.number = ctx->args[1]};
	u32 native = lf_action_64(call.number), compat = lf_action_32(call.number), action;
	struct lf_actor actor = {};
	struct lf_task *task;

	if (native == LF_ACT_NONE && compat == LF_ACT_NONE) /* most calls: nothing has been looked up yet */
		return 0;
	task = lf_task_of(bpf_get_current_pid_tgid() >> 32);
	if (!task)
		return 0;
	lf_read_call(ctx->args[0], &call);
	action = call.compat ? compat : native;
	if (action == LF_ACT_NONE)
		return 0;
	lf_current(&actor);
	actor.image = task->image;
	if (lf_is_forbidden(action, &call, task->tags))
		lf_stop_call(action, &call, task->tags, &actor);
	return 0;
}

#ifdef LF_HAVE_SIGNAL_TASK
/*
 * A process that shares its table of descriptors, but not its life, would inherit what somebody is killed for. Both
 * are killed, the child before it runs: else another thread of the parent could just then be making a socket for it.
 */
int lf_shared_table(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_task *task = lf_task_of(bpf_get_current_pid_tgid() >> 32);
	u32 flags = ctx->args[1];
	struct lf_actor actor = {};
	void *child;

	if (!task || !(flags & LF_CLONE_FILES) || flags & LF_CLONE_THREAD)
		return 0;
	lf_current(&actor);
	actor.image = task->image;
	child = (void *)ctx->args[0];
	if (lf_stop(LF_NR_CLONE, LF_R_FORBIDDEN_CALL, 0, task->tags, &actor) &&
	    bpf_send_signal_task(child, LF_SIGKILL, LF_PIDTYPE_TGID, 0))
		lf_count_failure(LF_F_SIGNAL);
	return 0;
}
#endif

/*
 * Whether what was sent may still lie in the socket, or went where egress does not look. TCP is told before, where the
 * kernel can.
 */
static __always_inline bool lf_holds_back(void *sk)
{
	u32 protocol = lf_half(sk, LF_SOCK_PROTOCOL);

	if (!lf_is_inet(lf_half(sk, LF_SOCK_FAMILY)))
		return true;
	if (protocol == IPPROTO_UDP)
		return lf_field32((u64)sk, LF_UDP_PENDING);
#ifdef LF_HAVE_TCP_SENDMSG
	return protocol != IPPROTO_TCP;
#else
	return true;
#endif
}

/*
 * After a send, in the process that sent, on whichever descriptor: the socket is known here for sure. Egress has judged
 * what left at once; what is held back leaves with the tags that the socket gets now.
 */
int lf_sock_send_length(struct bpf_raw_tracepoint_args *ctx)
{
	void *sk = (void *)ctx->args[0];

	if (lf_holds_back(sk))
		lf_use(sk);
	return 0;
}

/* Before the first byte, with the socket locked (Linux 6.16). */
int lf_tcp_sendmsg_locked(struct bpf_raw_tracepoint_args *ctx)
{
	lf_use((void *)ctx->args[0]);
	return 0;
}

#endif
