/* SPDX-License-Identifier: BSD-2-Clause */
/* pass_fd.h: a descriptor from a child process, made where only the child may: in namespaces of its own. */
#ifndef LF_TESTS_PASS_FD_H
#define LF_TESTS_PASS_FD_H

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Hands a descriptor to whoever forked this process, and ends the process. */
static inline void send_fd(int socket, int fd)
{
	char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec piece = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	_exit(sendmsg(socket, &message, 0) == 1 ? 0 : 1);
}

/* The descriptor; -1 when the process ended without. */
static inline int receive_fd(int socket)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec piece = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *header;
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && (header = CMSG_FIRSTHDR(&message)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

#endif
