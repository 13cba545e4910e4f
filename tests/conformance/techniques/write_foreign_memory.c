// title: another process's memory, which that process sends
// row: ptrace, process_vm_writev, /proc/PID/mem
// caps: sys_ptrace
// helper: victim
// variants: process_vm_writev proc_mem ptrace compat_process_vm_writev compat_ptrace
#include "foreign_memory.h"

int main(void)
{
	write_foreign_memory(victim(0));
	return WENT_OUT;
}
