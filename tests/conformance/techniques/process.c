// title: process
// row: thread, double fork, setsid, vfork+exec, setuid, namespaces
// variants: thread thread_of_dead_leader double_fork orphan setsid vfork vfork_exec setuid clone_vm clone_parent
// variants: clone_files clone_untraced exec exec_from_thread exec_from_memory user_namespace pid_namespace
// variants: other_namespaces chain_of_forks spawned_interpreter
#include "technique.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>

static char *again[] = {"/proc/self/exe", NULL};

static void deliver(void)
{
	sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "TARGET4");
	send_mark(connected(SOCK_STREAM, "TARGET4"));
	usleep(100000);
}

static int deliver_and_end(void *unused)
{
	deliver();
	_exit(WENT_OUT);
}

static void *deliver_in_thread(void *leader)
{
	if (leader)
		pthread_join(*(pthread_t *)leader, NULL);
	deliver();
	_exit(WENT_OUT);
}

static void *execute(void *unused)
{
	setenv("VARIANT", "plain", 1);
	execv(again[0], again);
	_exit(REFUSED);
}

static void await(int child)
{
	int status;
	must(waitpid(child, &status, __WALL), "wait");
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : REFUSED);
}

static void in_thread(void *(*work)(void *), int end_leader)
{
	static pthread_t leader;
	pthread_t thread;
	leader = pthread_self();
	pthread_create(&thread, NULL, work, end_leader ? &leader : NULL);
	if (end_leader)
		pthread_exit(NULL);
	pthread_join(thread, NULL);
}

static void cloned(int flags)
{
	static char stack[1 << 17];
	int child = must(clone(deliver_and_end, stack + sizeof(stack), flags | SIGCHLD, NULL), "clone");
	if (flags & CLONE_PARENT)
		sleep(1);
	else
		await(child);
}

/* Each generation ends at once: who looks at the tree never finds more than one of them. */
static void chain(int length)
{
	if (must(fork(), "fork")) {
		sleep(1);
		return;
	}
	while (length--)
		if (must(fork(), "fork"))
			_exit(WENT_OUT);
	deliver();
}

static void orphan(void)
{
	if (must(fork(), "fork")) {
		sleep(1);
		return;
	}
	if (must(fork(), "fork"))
		_exit(WENT_OUT);
	usleep(100000);
	deliver();
}

static void from_memory(void)
{
	int self = must(open("/proc/self/exe", O_RDONLY), "open"), copy = must(memfd_create("x", 0), "memfd_create");
	char page[1 << 16];
	for (ssize_t size; (size = read(self, page, sizeof(page))) > 0;)
		must(write(copy, page, size), "write");
	setenv("VARIANT", "plain", 1);
	must(fexecve(copy, again, environ), "fexecve");
}

static void in_namespace(int flags)
{
	must(unshare(flags), "unshare");
	int child = must(fork(), "fork");
	if (!child)
		deliver_and_end(NULL);
	await(child);
}

static void vforked(int executing)
{
	int child = must(vfork(), "vfork");
	if (child)
		await(child);
	if (executing)
		execute(NULL);
	deliver_and_end(NULL);
}

static void interpreted(void)
{
	char text[256];
	snprintf(text, sizeof(text), "printf %%s %s >/dev/udp/%s/%d", mark(), env("TARGET4"), number("PORT"));
	must(run((char *[]){"/bin/bash", "-c", text, NULL}) ? -1 : 0, "bash");
}

static void become_nobody(void)
{
	must(setgid(65534), "setgid");
	must(setuid(65534), "setuid");
	deliver();
}

static void detached(void)
{
	if (must(fork(), "fork")) {
		sleep(1);
		return;
	}
	setsid();
	if (is("double_fork") && must(fork(), "fork"))
		_exit(WENT_OUT);
	deliver();
}

int main(void)
{
	if (is("thread") || is("thread_of_dead_leader"))
		in_thread(deliver_in_thread, is("thread_of_dead_leader"));
	else if (is("exec_from_thread"))
		in_thread(execute, 0);
	else if (is("double_fork") || is("setsid"))
		detached();
	else if (is("orphan"))
		orphan();
	else if (is("vfork") || is("vfork_exec"))
		vforked(is("vfork_exec"));
	else if (is("setuid"))
		become_nobody();
	else if (is("clone_vm"))
		cloned(CLONE_VM);
	else if (is("clone_parent"))
		cloned(CLONE_PARENT);
	else if (is("clone_files"))
		cloned(CLONE_FILES | CLONE_FS);
	else if (is("clone_untraced"))
		cloned(CLONE_UNTRACED);
	else if (is("exec"))
		execute(NULL);
	else if (is("exec_from_memory"))
		from_memory();
	else if (is("user_namespace"))
		in_namespace(CLONE_NEWUSER);
	else if (is("pid_namespace"))
		in_namespace(CLONE_NEWUSER | CLONE_NEWPID);
	else if (is("other_namespaces"))
		in_namespace(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
	else if (is("chain_of_forks"))
		chain(100);
	else if (is("spawned_interpreter"))
		interpreted();
	else
		deliver();
	return WENT_OUT;
}
