/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2) without a library. */
#ifndef BPF_H
#define BPF_H

#include "technique.h"
#include <linux/bpf.h>

SHARED long bpf(int command, union bpf_attr attr)
{
	return syscall(SYS_bpf, command, &attr, sizeof(attr));
}

SHARED int bpf_program(int type, int attach_type, const struct bpf_insn *code, size_t count)
{
	union bpf_attr attr = {
		.prog_type = type, .insns = (uintptr_t)code, .insn_cnt = count, .license = (uintptr_t)"GPL"};
	attr.expected_attach_type = attach_type;
	return must(bpf(BPF_PROG_LOAD, attr), "BPF_PROG_LOAD");
}

SHARED int bpf_link(int program, int target, int attach_type)
{
	union bpf_attr attr = {0};
	attr.link_create.prog_fd = program;
	attr.link_create.target_fd = target;
	attr.link_create.attach_type = attach_type;
	return must(bpf(BPF_LINK_CREATE, attr), "BPF_LINK_CREATE");
}

/* One instruction. */
#define INSN(operation, to, from, offset, value)                                                                       \
	((struct bpf_insn){.code = operation, .dst_reg = to, .src_reg = from, .off = offset, .imm = value})
#define MOVE(to, from)       INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define SET(to, value)       INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define ADD(to, value)       INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define STORE(to, at, value) INSN(BPF_ST | BPF_MEM | BPF_W, to, 0, at, value)
#define CALL(function)       INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define RETURN(value)        SET(0, value), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define COUNT(code)          (sizeof(code) / sizeof(*(code)))

#endif
