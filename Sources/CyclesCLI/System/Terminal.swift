#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The terminal behind standard output.
enum Terminal {
    /// How many columns and rows it has; those of a classic one if it does not say.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Whether it shows more than ASCII, by what the locale says of it.
    static var hasBlocks: Bool {
        let locale = Environment.text("LC_ALL") ?? Environment.text("LC_CTYPE") ?? Environment.text("LANG") ?? ""
        // A modifier may follow, such as @euro.
        let name = locale.prefix { $0 != "@" }.uppercased()
        return name.hasSuffix("UTF-8") || name.hasSuffix("UTF8")
    }
}

/// A second screen of the terminal, so that what was on the first is there again afterwards; without a cursor.
final class SecondScreen: Sendable {
    private let isShown = Lock(false)

    func show() {
        isShown.withLock { isShown in
            Console.control("\u{1b}[?1049h\u{1b}[?25l")
            isShown = true
        }
    }

    /// Puts lines where others were, without a moment in which nothing is there. Once the screen is left, whichever thread
    /// did that, nothing is drawn any more.
    func draw(_ lines: [String]) {
        isShown.withLock { isShown in
            if isShown { Console.frame(lines) }
        }
    }

    /// Whether the screen was shown until now.
    @discardableResult
    func leave() -> Bool {
        isShown.withLock { isShown in
            if isShown { Console.control("\u{1b}[?25h\u{1b}[?1049l") }
            defer { isShown = false }
            return isShown
        }
    }
}
