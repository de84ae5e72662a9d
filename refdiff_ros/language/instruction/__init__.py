"""From an instruction to what it refers to: 'put the mug on the tray' names a mug and a tray."""
