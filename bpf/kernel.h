/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading what lies inside the kernel, at offsets that its BTF told when this was compiled (landfast_agent/btf.py). */
#ifndef LANDFAST_KERNEL_H
#define LANDFAST_KERNEL_H

/* Functions of the kernel that are no helpers: the loader puts their ids in place of these numbers. */
#define LF_KFUNC 0x10000
static void *(*bpf_cast_to_kern_ctx)(void *) = (void *)(LF_KFUNC + 0);
static int (*bpf_send_signal_task)(void *task, int signal, u32 kind, u64 value) = (void *)(LF_KFUNC + 1);

static __always_inline u64 lf_field(u64 base, u32 offset)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(base + offset));
	return value;
}

static __always_inline u32 lf_field32(u64 base, u32 offset)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(base + offset));
	return value;
}

static __always_inline u32 lf_field16(u64 base, u32 offset)
{
	u16 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(base + offset));
	return value;
}

/* The same of what the verifier knows to be such a struct, at the price of a load. */
static __always_inline u32 lf_half(void *base, const u32 offset)
{
	u32 value;

	asm volatile("%0 = *(u16 *)(%1 + %2)" : "=r"(value) : "r"(base), "i"(offset));
	return value;
}

/* A pointer that the verifier watches over, as a number. */
static __always_inline u64 lf_address_of(void *pointer)
{
	void *volatile slot = pointer;
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)&slot);
	return value;
}

/* Cookie of a task's network namespace. */
static __always_inline u64 lf_netns_of(u64 task)
{
	return lf_field(lf_field(lf_field(task, LF_TASK_NSPROXY), LF_NSPROXY_NET), LF_NET_COOKIE);
}

/* Id of a task's cgroup in the version 2 hierarchy. */
static __always_inline u64 lf_cgroup_of(u64 task)
{
	u64 cgroup = lf_field(lf_field(task, LF_TASK_CGROUPS), LF_CSS_SET_CGROUP);

	return lf_field(lf_field(cgroup, LF_CGROUP_KN), LF_KERNFS_ID);
}

#define LF_STACK_SIZE 0x4000 /* THREAD_SIZE of x86-64 */

/* Does the current task run this on its own stack, and not an interrupt on the CPU's? */
static __always_inline bool lf_is_on_own_stack(void)
{
	u64 here = 0;

	return lf_address_of(&here) - lf_field(bpf_get_current_task(), LF_TASK_STACK) < LF_STACK_SIZE;
}

/* The open file behind a descriptor of the current task; 0: there is none. */
static __always_inline u64 lf_file_at(u32 descriptor)
{
	u64 table = lf_field(lf_field(bpf_get_current_task(), LF_TASK_FILES), LF_FILES_TABLE);

	if (descriptor >= lf_field32(table, LF_TABLE_SIZE))
		return 0;
	return lf_field(lf_field(table, LF_TABLE_FILES), descriptor * 8);
}

/* The open file of a socket; 0 for the kernel's own sockets, and those that nobody has accepted yet. */
static __always_inline u64 lf_file_of(u64 sock)
{
	u64 socket = lf_field(sock, LF_SOCK_SOCKET);

	return socket ? lf_field(socket, LF_SOCKET_FILE) : 0;
}

#endif
