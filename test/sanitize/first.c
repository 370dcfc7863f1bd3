// Preloaded into the server after AddressSanitizer, which begins with the first allocation and asks gettext for a text then.
// Without this, that allocation is made by a library's constructor within gettext, whose lock it spoils: the server hangs.

#include <stdlib.h>

__attribute__((constructor)) static void first(void) {
  void *volatile const memory = malloc(1);
  free(memory);
}
