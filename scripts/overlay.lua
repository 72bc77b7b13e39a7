-- Lay folders over each other: how many containers share one image, and each may write.
--
-- Man pages: mount(2), and https://docs.kernel.org/filesystems/overlayfs.html
-- Run it:    nslua scripts/overlay.lua            (Enter goes on, q quits; no root is needed)
--            nslua --batch scripts/overlay.lua    (no key; exit status 0: every claim held)
-- What to expect:
--
--     overlay/4  Copied on the first write                                     4/8
--       ...
--       to be seen
--         image   greeting: hello from the image
--         layer   greeting: hello from the box
--         merged  greeting: hello from the box
--
--       ✔ the image has its old text, and nothing is beside it
--
-- `t` is what the steps share: the boxes t.box and t.other, and t.host, a process of the throw-away
-- host that the lesson runs on. The folders are in /tmp, which is empty there and gone afterwards.

local ns = require "nslua"

local IMAGE, MERGED = "/tmp/image", "/tmp/merged"

local function write(path, text)
  local f <close> = ns.open(path, "wronly,creat,trunc")
  f:write(text .. "\n")
end

local function read(path)
  local f <close> = io.open(path)
  return f and f:read "l"
end

local function names(path)
  local list = ns.readdir(path)
  table.sort(list)
  return #list > 0 and table.concat(list, " ") or "(empty)"
end

-- A path as a box sees it, looked at from outside.
local function within(proc, path) return ("/proc/%d/root%s"):format(proc.pid, path) end

-- A box with a layer of its own over the image. The layer is a tmpfs that ends with the box.
local function layered_box()
  local box = ns.box { "mnt", pid = false }
  box:call(function()
    ns.try(ns.mkdir, "/tmp/layer")
    ns.mount("tmpfs", "/tmp/layer", "tmpfs")
    ns.mkdir "/tmp/layer/upper"
    ns.mkdir "/tmp/layer/work"
    ns.try(ns.mkdir, MERGED)
    ns.overlay { lower = IMAGE, upper = "/tmp/layer/upper", work = "/tmp/layer/work", target = MERGED }
  end)
  return box
end

local function upper(t, name) return within(t.box, "/tmp/layer/upper/" .. (name or "")) end
local function merged(t, name) return within(t.box, MERGED .. "/" .. (name or "")) end

-- The image is what it was made: the reason for all this.
local function image_is_untouched()
  return names(IMAGE) == "etc greeting tools" and read(IMAGE .. "/greeting") == "hello from the image"
end

-- And to the folder under the mount, which is all that the host has there, nothing came.
local function nothing_beside_the_layer()
  return image_is_untouched() and names(MERGED) == "(empty)"
end

local function three_folders(t)
  return { "image   " .. names(IMAGE), "layer   " .. names(upper(t)), "merged  " .. names(merged(t)) }
end

return ns.lesson {
  id = "overlay", title = "Layers", needs = { "mnt" },

  { "An image",
    say = [[A hundred containers of one distribution do not want a hundred copies of it. They share a
      folder that nobody writes to, and call it an image. Here is a very small one.]],
    shell = "mkdir -p image/etc image/tools\necho hello from the image > image/greeting",
    run = function()
      ns.mkdir(IMAGE)
      ns.mkdir(IMAGE .. "/etc")
      ns.mkdir(IMAGE .. "/tools")
      write(IMAGE .. "/greeting", "hello from the image")
      write(IMAGE .. "/etc/name", "small")
      write(IMAGE .. "/tools/hammer", "bang")
    end,
    show = function() return names(IMAGE) end,
    check = { ["it is as we made it"] = image_is_untouched },
    hint = { "A root file system is the same, with some thousand files more." } },

  { "A layer over it",
    say = [[An overlay shows two folders as one. Below lies the image. Above it lies the upper layer,
      empty as yet, which takes all that is written. A third folder, work, is for the kernel itself.
      Since Linux 5.11 an ordinary user may mount it, in his own user namespace.]],
    shell = [[
      unshare --user --map-root-user --mount sh
      mount -t overlay overlay merged \
        -o lowerdir=image,upperdir=upper,workdir=work]],
    run = function(t) t.box = layered_box() end,
    show = three_folders,
    check = {
      ["merged looks like the image"] = function(t) return names(merged(t)) == names(IMAGE) end,
      ["and the layer is empty"] = function(t) return names(upper(t)) == "(empty)" end },
    keep = { ["the host has no such mount"] = function(t)
      for _, m in ipairs(t.host:mounts()) do
        if m.mountpoint == MERGED then return false end
      end
      return true
    end },
    hint = { "Upper and work are on one file system, so that a file can be renamed from one to the other." } },

  { "A new file",
    say = "What is new is written to the upper layer. Merged shows it between the others.",
    shell = "echo mine > merged/notes        # in that shell",
    run = function(t) t.box:call(write, MERGED .. "/notes", "mine") end,
    show = three_folders,
    check = {
      ["it is in merged"] = function(t) return read(merged(t, "notes")) == "mine" end,
      ["it is in the layer"] = function(t) return read(upper(t, "notes")) == "mine" end },
    keep = { ["nothing was written beside the layer"] = nothing_beside_the_layer },
    hint = { "The disk holds it once: merged is a view." } },

  { "Copied on the first write",
    say = [[A file of the image that is opened for writing is first copied to the layer, the whole of
      it. The copy is changed, and hides the one below. This is called copy-up.]],
    shell = "echo hello from the box > merged/greeting",
    ask = { "In how many folders is a file greeting now: image, layer, merged (a number)?", answer = 3 },
    run = function(t) t.box:call(write, MERGED .. "/greeting", "hello from the box") end,
    show = function(t)
      return { "image   greeting: " .. read(IMAGE .. "/greeting"),
        "layer   greeting: " .. tostring(read(upper(t, "greeting"))),
        "merged  greeting: " .. read(merged(t, "greeting")) }
    end,
    check = {
      ["merged has the new text"] = function(t)
        return read(merged(t, "greeting")) == "hello from the box" end,
      ["it comes from the layer"] = function(t)
        return read(upper(t, "greeting")) == "hello from the box" end },
    keep = { ["the image has its old text, and nothing is beside it"] = nothing_beside_the_layer },
    hint = { "A large file that changes often does not belong in an image: it is copied as a whole." } },

  { "Taken away, and yet there",
    say = [[To delete a file of the image, the overlay must remember that it is gone. It puts a mark
      in the layer: a device file with the numbers 0 and 0, called a whiteout. It costs nothing, and
      it frees nothing.]],
    shell = "rm merged/tools/hammer; ls -l upper/tools",
    run = function(t) t.box:call(ns.unlink, MERGED .. "/tools/hammer") end,
    show = function(t)
      local mark = ns.lstat(upper(t, "tools/hammer"))
      return ("image   %s\nlayer   hammer: %s device %d, %d\nmerged  %s"):format(names(IMAGE .. "/tools"),
        mark.type, mark.major, mark.minor, names(merged(t, "tools")))
    end,
    check = {
      ["merged has lost it"] = function(t) return not ns.access(merged(t, "tools/hammer")) end,
      ["the layer has a whiteout"] = function(t)
        local mark = ns.lstat(upper(t, "tools/hammer"))
        return mark.type == "char" and mark.major == 0 and mark.minor == 0
      end },
    keep = { ["the image has the hammer"] = function() return read(IMAGE .. "/tools/hammer") == "bang" end },
    hint = { "So an image does not get smaller when a later layer deletes something." } },

  { "Another box, another layer",
    say = [[The next box lays a layer of its own over the same image. It sees what the image holds,
      and nothing of what the first one did.]],
    shell = "mount -t overlay overlay merged2 -o lowerdir=image,upperdir=u2,workdir=w2",
    ask = { "Does the second box have the hammer (yes or no)?", answer = "yes" },
    run = function(t) t.other = layered_box() end,
    show = function(t) return { "box     " .. names(merged(t)), "other   " .. names(within(t.other, MERGED)) } end,
    check = {
      ["it has the hammer"] = function(t) return read(within(t.other, MERGED .. "/tools/hammer")) == "bang" end,
      ["it has the old greeting, and no notes"] = function(t)
        return read(within(t.other, MERGED .. "/greeting")) == "hello from the image"
          and not ns.access(within(t.other, MERGED .. "/notes")) end },
    keep = { ["the first box has its own"] = function(t)
      return read(merged(t, "greeting")) == "hello from the box" end },
    hint = { "ns.rootfs.get():overlay() gives each box such a layer." } },

  { "Layers upon layers",
    say = [[Many folders can lie under each other; the one named first lies on top. Without an upper
      one there is no place to write to: the whole is read-only, and says so.]],
    shell = "mount -t overlay overlay stack -o lowerdir=upper:image\n"
      .. "touch stack/new        # Read-only file system",
    run = function(t)
      t.box:call(function()
        ns.mkdir "/tmp/layer/stack"
        ns.overlay {
          lower = { "/tmp/layer/upper", IMAGE }, target = "/tmp/layer/stack",
        }
        ns.mkdir "/tmp/layer/stack/new"
      end)
    end,
    expect = "EROFS",
    check = { ["the stack shows what merged shows"] = function(t)
      return names(within(t.box, "/tmp/layer/stack")) == names(merged(t)) end },
    hint = { "This is how a second image is built on a first: its layer becomes a lower one." } },

  { "Back to the image",
    say = [[An exercise. The greeting in merged is the box's own. Bring the image's greeting back, in
      the box, without writing its text anew. What hides it?]],
    shell = "umount merged; rm upper/greeting; mount -t overlay ...        # as before",
    solution = function(t)
      t.box:call(function()
        ns.umount(MERGED)
        ns.unlink "/tmp/layer/upper/greeting"
        ns.overlay { lower = IMAGE, upper = "/tmp/layer/upper",
          work = "/tmp/layer/work", target = MERGED }
      end)
    end,
    show = three_folders,
    check = {
      ["merged has the greeting of the image"] = function(t)
        return read(merged(t, "greeting")) == "hello from the image" end,
      ["it has its own notes as before"] = function(t) return read(merged(t, "notes")) == "mine" end },
    keep = { ["the image is untouched"] = image_is_untouched },
    hint = { "The copy in the layer hides it: /tmp/layer/upper/greeting, as the box sees it.",
      "The kernel does not like a layer that changes under a mounted overlay: umount /tmp/merged first." } },

  done = "Next: the first process, and what it owes the others: nslua scripts/init.lua",
}
