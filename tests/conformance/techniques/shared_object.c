// title: object that tagged and untagged processes share
// row: existing unix stream, socketpair, pipe, fifo, shared memory, file, message queue
// helper: watcher
// variants: file mapped_file terminal posix_queue message_queue shared_memory key
// documented: no socket is involved: bytes would have to be followed from process to process
#include "technique.h"
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>

static void by_file(size_t size)
{
	int fd = must(open(helper_file(is("terminal") ? "tty" : "file"), O_RDWR | O_NOCTTY), "open");
	if (is("mapped_file"))
		memcpy(must_map(mmap(NULL, 256, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), "mmap"), mark(), size);
	else
		must(write(fd, mark(), size), "write");
}

static void by_posix_queue(size_t size)
{
	char name[32];
	snprintf(name, sizeof(name), "/landfast-%d", number("HELPER_PORT"));
	mqd_t queue = must(mq_open(name, O_WRONLY), "mq_open");
	must(mq_send(queue, mark(), size, 0), "mq_send");
}

static void by_message_queue(size_t size)
{
	struct {
		long type;
		char text[256];
	} message = {.type = 1};
	memcpy(message.text, mark(), size);
	must(msgsnd(must(msgget(number("HELPER_PORT"), 0), "msgget"), &message, size, 0), "msgsnd");
}

static void by_shared_memory(size_t size)
{
	void *memory = must_map(shmat(must(shmget(number("HELPER_PORT"), 256, 0), "shmget"), NULL, 0), "shmat");
	memcpy(memory, mark(), size);
}

static void by_key(size_t size)
{
	must(syscall(SYS_add_key, "user", env("HELPER"), mark(), size, KEY_SPEC_USER_KEYRING), "add_key");
}

int main(void)
{
	size_t size = strlen(mark());
	if (is("posix_queue"))
		by_posix_queue(size);
	else if (is("message_queue"))
		by_message_queue(size);
	else if (is("shared_memory"))
		by_shared_memory(size);
	else if (is("key"))
		by_key(size);
	else
		by_file(size);
	usleep(300000);
	return WENT_OUT;
}
