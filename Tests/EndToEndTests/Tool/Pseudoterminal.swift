import Foundation
import Synchronization

/// A terminal that nobody sits at: what a program writes to it is kept.
final class Pseudoterminal: Sendable {
    let program: FileHandle
    private let master: Int32
    private let written = Mutex([UInt8]())

    init(columns: UInt16, rows: UInt16) throws {
        #if os(Linux)
            // The calls replace posix_openpt, unlockpt and ptsname, which are not visible here.
            master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var (isLocked, number): (Int32, Int32) = (0, 0)
            guard master >= 0, ioctl(master, 0x4004_5431, &isLocked) == 0, ioctl(master, 0x8004_5430, &number) == 0
            else {
                throw SocketFailure()
            }
            let name = "/dev/pts/\(number)"
        #else
            master = posix_openpt(O_RDWR | O_NOCTTY)
            guard master >= 0, grantpt(master) == 0, unlockpt(master) == 0, let path = ptsname(master) else {
                throw SocketFailure()
            }
            let name = String(cString: path)
        #endif
        let other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard other >= 0 else { throw SocketFailure() }
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(other, UInt(TIOCSWINSZ), &size)
        program = FileHandle(fileDescriptor: other, closeOnDealloc: true)
    }

    deinit { close(master) }

    /// Types a text, control characters included.
    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(master, bytes, bytes.count)
    }

    /// Whether the terminal shows what is typed, and passes it on by lines.
    var echoes: Bool {
        var settings = termios()
        tcgetattr(program.fileDescriptor, &settings)
        return settings.c_lflag & tcflag_t(ECHO) != 0 && settings.c_lflag & tcflag_t(ICANON) != 0
    }

    /// Everything that was written so far.
    var text: String {
        written.withLock { written in
            var entry = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while poll(&entry, 1, 0) == 1, entry.revents & Int16(POLLIN) != 0 {
                let count = read(master, &buffer, buffer.count)
                guard count > 0 else { break }
                written += buffer[..<count]
            }
            return String(decoding: written, as: UTF8.self)
        }
    }

    /// The lines of the last frame, without what moves the cursor.
    var screen: [String] {
        guard let frame = text.components(separatedBy: "\u{1b}[H").last else { return [] }
        return frame.replacingOccurrences(of: "\u{1b}[K", with: "").replacingOccurrences(of: "\u{1b}[J", with: "")
            .components(separatedBy: "\r\n")
    }
}
