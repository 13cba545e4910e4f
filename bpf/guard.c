/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tier without BPF LSM: system calls of tagged processes that would slip past every other hook. Attached only
 * while something is tagged or could be, since every system call of the host comes by.
 *
 * A call that emits nothing itself is stopped by SIGKILL: it may still run, but nobody is left to use what it made.
 * A call that sends has its file noted, so that egress knows the sender of a socket that it did not make.
 */
#ifdef __x86_64__

#define LF_TS_COMPAT 2 /* of thread_info.status: a call of the 32-bit ABI, whatever the program is */

#define LF_AF_UNIX          1
#define LF_AF_NETLINK       16
#define LF_AF_PACKET        17
#define LF_AF_ALG           38
#define LF_NETLINK_USERSOCK 2
#define LF_SOCK_PACKET      10
#define LF_SOCK_TYPES       0xf /* the rest of socket's second argument are flags */

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
	LF_ACT_SEND,   /* sends on its first argument */
	LF_ACT_SPLICE, /* sends on its third argument */
	LF_ACT_SUBMIT, /* sends on a descriptor in the first of its control blocks */
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
	switch (number) {
	case 41: /* socket */
	case 53: /* socketpair */
		return LF_ACT_FAMILY;
	case 1:   /* write */
	case 18:  /* pwrite64 */
	case 20:  /* writev */
	case 40:  /* sendfile */
	case 44:  /* sendto */
	case 46:  /* sendmsg */
	case 296: /* pwritev */
	case 307: /* sendmmsg */
	case 328: /* pwritev2 */
		return LF_ACT_SEND;
	case 275: /* splice */
		return LF_ACT_SPLICE;
	case 209: /* io_submit */
		return LF_ACT_SUBMIT;
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
	case 187: /* sendfile */
	case 239: /* sendfile64 */
	case 334: /* pwritev */
	case 345: /* sendmmsg */
	case 369: /* sendto */
	case 370: /* sendmsg */
	case 379: /* pwritev2 */
		return LF_ACT_SEND;
	case 313: /* splice */
		return LF_ACT_SPLICE;
	case 248: /* io_submit */
		return LF_ACT_SUBMIT;
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

static __always_inline bool lf_is_decided_family(u32 family, u32 protocol)
{
	if (family == LF_AF_NETLINK)
		return protocol != LF_NETLINK_USERSOCK;
	return family == LF_AF_INET || family == LF_AF_INET6 || family == LF_AF_UNIX || family == LF_AF_ALG;
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
	}
	return false;
}

/* Classes in audit mode, and those with `forbidden_calls: audit`, only record. */
static __always_inline u64 lf_kills(u64 tags)
{
	struct lf_policy *policy = lf_active();

	return policy ? tags & ~(policy->loaded & (policy->audit | ~policy->kill)) : tags;
}

static __always_inline void lf_stop(u32 action, struct lf_call *call, u64 tags, struct lf_actor *actor)
{
	struct lf_question q = {.tags = tags, .detail = call->number | (call->compat ? LF_CALL_32BIT : 0)};
	u32 reason = action == LF_ACT_FAMILY ? LF_R_FORBIDDEN_FAMILY : LF_R_FORBIDDEN_CALL;
	struct lf_policy *policy = lf_active();
	struct lf_answer a = {};
	u64 kills = lf_kills(tags);

	lf_refuse_all(&a, tags, reason);
	a.version = policy ? policy->version : 0;
	a.verdict = kills ? LF_DENY : LF_WOULD_DENY;
	if (kills && bpf_send_signal(LF_SIGKILL))
		lf_count_failure(LF_F_SIGNAL);
	lf_report(LF_S_SYSCALL, &q, &a, actor, 0, action == LF_ACT_FAMILY ? lf_asked_family(call) : 0, 0, 0);
}

/* The descriptor that a call sends on. */
static __always_inline u32 lf_sends_on(u32 action, struct lf_call *call)
{
	u32 descriptor = -1, at = 0;
	u64 block = 0;

	if (action == LF_ACT_SPLICE)
		return call->third;
	if (action != LF_ACT_SUBMIT)
		return call->first;
	bpf_probe_read_user(&block, call->compat ? 4 : 8, (void *)call->third);
	bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)(block + 20)); /* iocb.aio_fildes */
	return descriptor;
}

/* Notes the file; a thread that cannot be noted must not send. */
static __always_inline void lf_note_use(u32 descriptor, u64 tags, struct lf_actor *actor)
{
	u64 task = bpf_get_current_task(), file = lf_file_at(descriptor);
	struct lf_use fresh = {}, *use = uses.lookup(&task);

	if (!file || (use && use->file == file && use->tags == tags))
		return;
	fresh.file = file;
	fresh.tags = tags;
	fresh.image = actor->image;
	fresh.netns = actor->netns;
	fresh.tgid = actor->tgid;
	fresh.uid = actor->uid;
	if (!uses.update(&task, &fresh))
		return;
	lf_count_failure(LF_F_USE_MAP);
	if (bpf_send_signal(LF_SIGKILL))
		lf_count_failure(LF_F_SIGNAL);
}

int lf_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct lf_call call = {.number = ctx->args[1]};
	struct lf_actor actor = {};
	struct lf_task *task;
	u32 action;

	lf_current(&actor);
	task = lf_task_of(actor.tgid);
	if (!task)
		return 0;
	lf_read_call(ctx->args[0], &call);
	action = call.compat ? lf_action_32(call.number) : lf_action_64(call.number);
	if (action == LF_ACT_NONE)
		return 0;
	actor.image = task->image;
	actor.netns = task->netns;
	if (lf_is_forbidden(action, &call, task->tags))
		lf_stop(action, &call, task->tags, &actor);
	else if (action == LF_ACT_SEND || action == LF_ACT_SPLICE || action == LF_ACT_SUBMIT)
		lf_note_use(lf_sends_on(action, &call), task->tags, &actor);
	return 0;
}

#endif
