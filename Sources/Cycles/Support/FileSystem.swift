/// The file operations of the journal. All of them block.
package protocol FileSystem: Sendable {
    /// The user's home directory; nil if there is none.
    var homeDirectory: String? { get }
    /// The process identifier.
    var processID: Int32 { get }

    /// Creates a directory that only its owner may use, and missing directories above it. Accepts an existing directory
    /// if it is a real directory, belongs to the user and may be written by nobody else.
    func prepareDirectory(_ path: String) throws(FileError)
    /// Creates a file that only its owner may read, with its contents on disk on return. The file must not exist.
    func createFile(_ path: String, _ contents: [UInt8]) throws(FileError)
    /// Renames a file, replacing a file with the new name.
    func rename(_ path: String, to other: String) throws(FileError)
    /// Removes a file. A missing file is not an error.
    func remove(_ path: String) throws(FileError)
    /// Flushes the names in a directory to disk.
    func syncDirectory(_ path: String) throws(FileError)
    /// Returns the names in a directory, in no order; none if the directory does not exist.
    func list(_ path: String) throws(FileError) -> [String]
    /// Reads a regular file without following a link.
    /// - Parameter limit: The maximum size in bytes. A larger file is an error.
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8]
    /// Whether files can probably be created in a directory. Creates nothing.
    func mayWrite(to directory: String) -> Bool
    /// The time since a file was modified; negative for a time in the future, nil if not known.
    func age(of path: String) -> Duration?

    /// The objects that the clients of one process share. Each simulated process of a test has a registry of its own.
    var registry: DirectoryRegistry { get }
    /// Returns the identity of a file or directory, which does not depend on its path; nil if there is none.
    func identity(of path: String) -> FileIdentity?
    /// Opens a directory without following a link. Call ``prepareDirectory(_:)`` first, which checks the directory.
    func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory
}

/// The identity of a file or directory on this machine.
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
    /// Whether the file is a regular file that belongs to this user.
    package let isOwn: Bool
    /// The number of the file's names (hard links).
    package let links: Int
    package let size: Int
    /// The modification time, in milliseconds since 1970.
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

/// An open directory. Its files are accessed through the open directory, even if its path changes. All operations
/// block.
package protocol OpenDirectory: AnyObject, Sendable {
    /// Whether locks on this file system exclude all other processes.
    var hasLocks: Bool { get }
    func list() throws(FileError) -> [String]
    /// Creates a file that only its owner may read and write. The file must not exist.
    func create(_ name: String) throws(FileError) -> any OpenFile
    /// Opens a file to read and write without following a link; returns nil if there is no such file.
    func open(_ name: String) throws(FileError) -> (any OpenFile)?
    /// Returns the state of the file that now has a name; nil if there is none.
    func status(of name: String) -> FileStatus?
    /// Renames a file, replacing a file with the new name.
    func rename(_ name: String, to other: String) throws(FileError)
    /// Removes a file. A missing file is not an error.
    func remove(_ name: String) throws(FileError)
    /// Flushes the names in the directory to disk.
    func sync() throws(FileError)
}

/// An open file. Closing or releasing the file ends its lock. All operations block.
package protocol OpenFile: AnyObject, Sendable {
    /// Locks the file against every other opening, including those in this process. Never waits: returns false if the
    /// lock is taken.
    func lock(isShared: Bool) throws(FileError) -> Bool
    func status() throws(FileError) -> FileStatus
    func write(_ bytes: [UInt8], at offset: Int) throws(FileError)
    /// Reads the whole file.
    /// - Parameter limit: The maximum size in bytes. A larger file is an error.
    func read(limit: Int) throws(FileError) -> [UInt8]
    /// Sets the modification time, in milliseconds since 1970.
    func setModified(atMilliseconds time: Int64) throws(FileError)
    /// Flushes all written bytes to disk.
    func sync() throws(FileError)
    func close()
}

/// A failed file operation.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operation that failed, such as `create`; continues a sentence that begins with "cannot".
    package let action: String
    package let path: String
    package let reason: String

    package init(action: String, path: String, reason: String) {
        self.action = action
        self.path = path
        self.reason = reason
    }

    package var description: String { "cannot \(action) \(path): \(reason)" }

    /// The description without the path, for a report that names the path itself.
    package var problem: String { "cannot \(action) it: \(reason)" }
}
