/* What rot get does, and nothing else: get SOCKET PATH prints the value. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  char text[8192];
  size_t n = 0;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (argc != 3 || strlen(argv[1]) >= sizeof to.sun_path) return 2;
  strcpy(to.sun_path, argv[1]);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) return 3;
  dprintf(fd, "GET %s HTTP/1.0\r\nHost: rotd\r\n\r\n", argv[2]);
  for (ssize_t got; n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0;) n += got;
  text[n] = 0;
  char *value = strstr(text, "\"value\":\"");
  if (!value) return 1;
  value += strlen("\"value\":\"");
  char *end = strchr(value, '"');
  if (!end) return 1;
  *end = '\n';
  return write(1, value, end + 1 - value) < 0;
}
