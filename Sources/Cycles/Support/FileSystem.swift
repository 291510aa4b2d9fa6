/// The file operations of the journal. All of them block.
package protocol FileSystem: Sendable {
    /// The user's home; nil if there is none.
    var homeDirectory: String? { get }
    /// The number that no other running process has.
    var processID: Int32 { get }

    /// Makes a directory that only its owner may use, with the directories above it. One that exists is accepted if it
    /// is a real directory, belongs to the user and may be written by nobody else.
    func prepareDirectory(_ path: String) throws(FileError)
    /// Makes a file that only its owner may read, with its contents on disk when this returns. It must not exist.
    func createFile(_ path: String, _ contents: [UInt8]) throws(FileError)
    /// Gives a file another name, replacing one that has it.
    func rename(_ path: String, to other: String) throws(FileError)
    /// Removes a file. One that is not there is no error.
    func remove(_ path: String) throws(FileError)
    /// Sees to it that the names in a directory are on disk.
    func syncDirectory(_ path: String) throws(FileError)
    /// The names in a directory, in no order; none if it is not there.
    func list(_ path: String) throws(FileError) -> [String]
    /// Reads a regular file without following a link.
    /// - Parameter limit: The most bytes that are read; a larger file is an error.
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]
    /// Whether something can be made in a directory, as far as can be told without doing so.
    func mayWrite(to directory: String) -> Bool
    /// The time since a file was changed, below zero if that lies in the future; nil if it cannot be told.
    func age(of path: String) -> Duration?

    /// The objects that the clients of one process share. Each simulated process of a test has a registry of its own.
    var registry: DirectoryRegistry { get }
    /// Names a file or directory whatever its path is; nil if it is not there.
    func identity(of path: String) -> FileIdentity?
    /// Opens a directory for its files, without following a link. ``prepareDirectory(_:)`` checks it before.
    func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory
}

/// Names a file or directory among all of the machine.
package struct FileIdentity: Hashable, Sendable {
    package let device: UInt64
    package let number: UInt64

    package init(device: UInt64, number: UInt64) {
        self.device = device
        self.number = number
    }
}

/// The state of a file.
package struct FileStatus: Hashable, Sendable {
    package let identity: FileIdentity
    /// Whether it is a regular file of this user's.
    package let isOwn: Bool
    /// The number of names that it has.
    package let links: Int
    package let size: Int
    /// The time of the last change, in milliseconds since 1970.
    package let modifiedAtMilliseconds: Int64

    package init(
        identity: FileIdentity,
        isOwn: Bool,
        links: Int,
        size: Int,
        modifiedAtMilliseconds: Int64
    ) {
        self.identity = identity
        self.isOwn = isOwn
        self.links = links
        self.size = size
        self.modifiedAtMilliseconds = modifiedAtMilliseconds
    }
}

/// A directory whose files are reached through it, whatever becomes of its path. Everything blocks.
package protocol OpenDirectory: AnyObject, Sendable {
    /// Whether its file system is one on which a lock of one process excludes all others.
    var hasLocks: Bool { get }
    func list() throws(FileError) -> [String]
    /// Makes a file that only its owner may read and write. It must not exist.
    func create(_ name: String) throws(FileError) -> any OpenFile
    /// Opens a file to read and write without following a link; nil if it is not there.
    func open(_ name: String) throws(FileError) -> (any OpenFile)?
    /// The state of the file that has a name now; nil if there is none.
    func status(of name: String) -> FileStatus?
    /// Gives a file another name, replacing one that has it.
    func rename(_ name: String, to other: String) throws(FileError)
    /// Removes a file. One that is not there is no error.
    func remove(_ name: String) throws(FileError)
    /// Sees to it that the names are on disk.
    func sync() throws(FileError)
}

/// A file that is open. Its lock ends when it is closed, which letting go of it does, too. Everything blocks.
package protocol OpenFile: AnyObject, Sendable {
    /// Locks the file against every other opening, in this process too. Never waits: false if another has the lock.
    func lock(isShared: Bool) throws(FileError) -> Bool
    func status() throws(FileError) -> FileStatus
    func write(_ bytes: [UInt8], at offset: Int) throws(FileError)
    /// - Parameter limit: The most bytes that are read; a larger file is an error.
    func read(limit: Int) throws(FileError) -> [UInt8]
    /// Sets the time of the last change, in milliseconds since 1970.
    func setModified(atMilliseconds time: Int64) throws(FileError)
    /// Sees to it that everything that was written is on disk.
    func sync() throws(FileError)
    func close()
}

/// The failure of an operation on a file.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operation that failed, such as `create`.
    package let action: String
    package let path: String
    package let reason: String

    package init(action: String, path: String, reason: String) {
        self.action = action
        self.path = path
        self.reason = reason
    }

    package var description: String { "cannot \(action) \(path): \(reason)" }
}
