#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
// Entries have no place in the source: it would be that of one wrapper.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
