/* SPDX-License-Identifier: Apache-2.0 */
/* The mark in another process's memory, by the way that VARIANT names. */
#ifndef FOREIGN_MEMORY_H
#define FOREIGN_MEMORY_H

#include "compat.h"
#include "victim.h"
#include <sys/ptrace.h>

enum { COMPAT_PTRACE = 26, COMPAT_PROCESS_VM_WRITEV = 348 };

SHARED void poke(int pid, unsigned long at, long word)
{
	if (is("compat_ptrace")) /* four bytes at a time */
		for (int i = 0; i < 2; i++)
			must(compat(COMPAT_PTRACE, PTRACE_POKEDATA, pid, at + 4 * i, word >> 32 * i, 0),
			     "ptrace, 32 bits");
	else
		must(ptrace(PTRACE_POKEDATA, pid, at, word), "PTRACE_POKEDATA");
}

SHARED void poke_mark(struct victim to)
{
	for (size_t at = 0; at < strlen(mark()); at += sizeof(long)) {
		long word = 0;
		memcpy(&word, mark() + at, strnlen(mark() + at, sizeof(word)));
		poke(to.pid, to.memory + at, word);
	}
}

SHARED void by_ptrace(struct victim to)
{
	int status;
	if (is("compat_ptrace"))
		must(compat(COMPAT_PTRACE, PTRACE_ATTACH, to.pid, 0, 0, 0), "ptrace, 32 bits");
	else
		must(ptrace(PTRACE_ATTACH, to.pid, NULL, NULL), "PTRACE_ATTACH");
	must(waitpid(to.pid, &status, __WALL), "waitpid");
	poke_mark(to);
	if (is("compat_ptrace"))
		must(compat(COMPAT_PTRACE, PTRACE_DETACH, to.pid, 0, 0, 0), "ptrace, 32 bits");
	else
		must(ptrace(PTRACE_DETACH, to.pid, NULL, NULL), "PTRACE_DETACH");
}

SHARED void by_proc(struct victim to)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/%d/mem", to.pid);
	int fd = must(open(path, O_RDWR), path);
	must(pwrite(fd, mark(), strlen(mark()), to.memory), "pwrite");
}

SHARED void by_vector(struct victim to)
{
	struct iovec here = {(char *)mark(), strlen(mark())}, there = {(void *)to.memory, strlen(mark())};
	uint32_t low_here[] = {low_mark(), strlen(mark())}, low_there[] = {to.memory, strlen(mark())};
	if (is("process_vm_writev"))
		must(process_vm_writev(to.pid, &here, 1, &there, 1, 0), "process_vm_writev");
	else
		must(compat(COMPAT_PROCESS_VM_WRITEV, to.pid, address(low_here, sizeof(low_here)), 1,
		            address(low_there, sizeof(low_there)), 1),
		     "process_vm_writev, 32 bits");
}

SHARED void write_foreign_memory(struct victim to)
{
	if (strstr(env("VARIANT"), "ptrace"))
		by_ptrace(to);
	else if (is("proc_mem"))
		by_proc(to);
	else
		by_vector(to);
	usleep(200000);
}

#endif
