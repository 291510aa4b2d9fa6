// Preloaded by Scripts/bench.sh: each sync takes 5 ms and does not use the disk.
#include <unistd.h>

int fsync(int descriptor) {
    (void)descriptor;
    usleep(5000);
    return 0;
}

int fdatasync(int descriptor) { return fsync(descriptor); }
