#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The terminal behind standard output.
enum Terminal {
    /// The number of columns and rows; 80 and 24 if it is unknown.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Whether the locale is UTF-8, so that the terminal shows block characters.
    static var hasBlocks: Bool {
        let locale = Environment.text("LC_ALL") ?? Environment.text("LC_CTYPE") ?? Environment.text("LANG") ?? ""
        // A modifier may follow, such as @euro.
        let name = locale.prefix { $0 != "@" }.uppercased()
        return name.hasSuffix("UTF-8") || name.hasSuffix("UTF8")
    }
}

/// The alternate screen of the terminal, without a cursor. Leaving it restores the main screen.
final class SecondScreen: Sendable {
    private let isShown = Lock(false)

    func show() {
        isShown.withLock { isShown in
            Console.control("\u{1b}[?1049h\u{1b}[?25l")
            isShown = true
        }
    }

    /// Replaces the lines without flicker. Has no effect once any thread has left the screen.
    func draw(_ lines: [String]) {
        isShown.withLock { isShown in
            if isShown { Console.frame(lines) }
        }
    }

    /// Leaves the screen. Returns whether it was shown.
    @discardableResult
    func leave() -> Bool {
        isShown.withLock { isShown in
            if isShown { Console.control("\u{1b}[?25h\u{1b}[?1049l") }
            defer { isShown = false }
            return isShown
        }
    }
}
