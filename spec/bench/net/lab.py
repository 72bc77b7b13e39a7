# lab.py: what lab.lua does, by mininet: one switch that is a Linux bridge.
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

net = Mininet(topo=SingleSwitchTopo(k=50), switch=LinuxBridge, controller=None,
              autoStaticArp=True)
net.start()
lost = net.pingAll()
net.stop()
assert lost == 0, lost
